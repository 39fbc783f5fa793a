package landing

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

const browsers = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

func TestPreferred(t *testing.T) {
	for accept, want := range map[string]string{
		"":                                  plainText,
		"*/*":                               plainText,
		browsers:                            hyperText,
		"text/html":                         hyperText,
		"TEXT/HTML":                         hyperText,
		"text/*":                            plainText,
		"text/plain, text/html":             plainText,
		"text/plain;q=0.5, text/html":       hyperText,
		"text/html;q=0.1, */*":              plainText,
		"text/html;level=1;q=0.9":           hyperText,
		"application/json":                  "application/json",
		"application/json, text/html;q=0.1": "application/json",
		"application/json, */*;q=0.1":       "application/json",
		"application/json, text/plain, */*": plainText, // the first of equals
		"text/html;q=0, */*":                plainText,
		"text/html;q=0":                     "",
		"text/html;q=x":                     "",
		"image/png":                         "",
		"nonsense":                          "",
		",;,/;=":                            "",
		"text/html;q=7, text/plain":         plainText,
	} {
		if got := preferred(accept, plainText, hyperText, "application/json"); got != want {
			t.Errorf("preferred(%q) = %q, want %q", accept, got, want)
		}
	}
}

// look sends r to a Handler whose Next answers with 404.
func look(r *http.Request, problem error, doors ...Door) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	New(Options{
		Next: http.NotFoundHandler(), Version: "v1 <&>", Doors: doors,
		Ready: func(context.Context) error { return problem },
	}).ServeHTTP(w, r)
	return w
}

// request returns a request from the server's machine.
func request(method, target, accept string) *http.Request {
	r := httptest.NewRequest(method, target, http.NoBody)
	r.Host, r.RemoteAddr = "localhost:8080", "127.0.0.1:5000"
	r.Header.Set("Accept", accept)
	return r
}

func TestOnlyAnUnsignedLookIsAnswered(t *testing.T) {
	signed := func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 …") }
	for name, test := range map[string]struct {
		method, target, accept string
		change                 func(*http.Request)
		want                   int
	}{
		"a browser":           {"GET", "/", browsers, nil, 200},
		"curl":                {"GET", "/", "*/*", nil, 200},
		"HEAD":                {"HEAD", "/", "*/*", nil, 200},
		"one that says none":  {"GET", "/", "", func(r *http.Request) { r.Header.Del("Accept") }, 200},
		"one that wants JSON": {"GET", "/", "application/json", nil, 404},
		"what is signed":      {"GET", "/", browsers, signed, 404},
		"what is presigned":   {"GET", "/?X-Amz-Signature=1", browsers, nil, 404},
		"any query":           {"GET", "/?a", "*/*", nil, 404},
		"another path":        {"GET", "/things", browsers, nil, 404},
		"the root, escaped":   {"GET", "/%2F", browsers, nil, 404},
		"POST":                {"POST", "/", "*/*", nil, 404},
		"OPTIONS":             {"OPTIONS", "/", "*/*", nil, 404},
		"a body":              {"GET", "/", "*/*", func(r *http.Request) { r.ContentLength = 1 }, 404},
		"a body in chunks":    {"GET", "/", "*/*", func(r *http.Request) { r.ContentLength = -1 }, 404},
	} {
		r := request(test.method, test.target, test.accept)
		if test.change != nil {
			test.change(r)
		}
		if got := look(r, nil).Code; got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// Callers on other machines see no facts about the server.
func TestFactsStayOnTheMachine(t *testing.T) {
	for name, test := range map[string]struct {
		host, from, header string
		local              bool
	}{
		"localhost":                 {"localhost:8080", "127.0.0.1:5000", "", true},
		"localhost without a port":  {"localhost", "127.0.0.1:5000", "", true},
		"127.0.0.1":                 {"127.0.0.1:8080", "127.0.0.1:5000", "", true},
		"::1":                       {"[::1]:8080", "[::1]:5000", "", true},
		"::1 without a port":        {"[::1]", "[::1]:5000", "", true},
		"another machine":           {"localhost:8080", "192.0.2.7:5000", "", false},
		"a name that points here":   {"rebound.example:8080", "127.0.0.1:5000", "", false},
		"another of its addresses":  {"192.0.2.1:8080", "127.0.0.1:5000", "", false},
		"no host":                   {"", "127.0.0.1:5000", "", false},
		"a proxy":                   {"localhost:8080", "127.0.0.1:5000", "X-Forwarded-For", false},
		"a proxy of another kind":   {"localhost:8080", "127.0.0.1:5000", "Forwarded", false},
		"a proxy of a further kind": {"localhost:8080", "127.0.0.1:5000", "Via", false},
		"nobody knows from where":   {"localhost:8080", "@", "", false},
	} {
		for _, accept := range []string{"*/*", browsers} {
			r := request("GET", "/", accept)
			r.Host, r.RemoteAddr = test.host, test.from
			if test.header != "" {
				r.Header.Set(test.header, "192.0.2.7")
			}
			body := look(r, errors.New("disk"), Door{"MQTT", "localhost:8883", "--mqtts"}).Body.String()
			if !strings.Contains(body, Summary) || !strings.Contains(body, Home) {
				t.Errorf("%s, %s: %s", name, accept, body)
			}
			for _, fact := range []string{"v1", "not ready", "disk", "8883", "--mqtts", "muster env"} {
				if strings.Contains(body, fact) != test.local {
					t.Errorf("%s, %s: %q is told: %t, want %t", name, accept, fact, !test.local, test.local)
				}
			}
		}
	}
}

func TestTheStateIsTold(t *testing.T) {
	for _, accept := range []string{"*/*", browsers} {
		if body := look(request("GET", "/", accept), nil).Body.String(); !strings.Contains(body, "ready") || strings.Contains(body, "not ready") {
			t.Errorf("ready: %s", body)
		}
		if body := look(request("GET", "/", accept), errors.New("starting")).Body.String(); !strings.Contains(body, "not ready: starting") {
			t.Errorf("not ready: %s", body)
		}
	}
}

func TestThePageLoadsNothingAndRunsNothing(t *testing.T) {
	w := look(request("GET", "/", browsers), nil, Door{"<b>", "http://127.0.0.1:9464\"", "'&"}, Door{"MQTT", "localhost:8883", "--mqtts"})
	page := w.Body.String()
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	if style == nil || strings.Count(page, "<style") != 1 {
		t.Fatalf("the page has not one style:\n%s", page)
	}
	sum := sha256.Sum256([]byte(style[1]))
	policy := w.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'; ", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; ", "img-src data:; "} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy is %s, want %s in it", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the policy is %s", policy)
	}
	if found := regexp.MustCompile(`(?i)<script|<b>|\son[a-z]+=|\sstyle=|\ssrc=|url\(|@import|\{[a-z]+\}`).FindString(page); found != "" {
		t.Errorf("the page has %q:\n%s", found, page)
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if link[1] != icon && link[1] != Home && link[1] != "http://127.0.0.1:9464&#34;" {
			t.Errorf("the page leads to %s", link[1])
		}
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, part := range []string{`<html lang="en">`, `<h1>`, `<main>`, `name="viewport"`, `v1 &lt;&amp;&gt;`, `scope="row"`} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %s", part)
		}
	}
	if len(page) > 8<<10 {
		t.Errorf("the page has %d bytes", len(page))
	}
}
