package cors

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// api is an API with one path; it answers others with errors.
func api(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", "1")
	if r.URL.Path != "/things" || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
	fmt.Fprint(w, "an answer")
}

func methods(path string) []string {
	if path == "/things" {
		return []string{"GET"}
	}
	return nil
}

// ask sends one request to a Handler with rules.
func ask(t *testing.T, rules Rules, log *bytes.Buffer, method, path string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, http.NoBody)
	r.Header = header
	w := httptest.NewRecorder()
	newHandler(rules, log).ServeHTTP(w, r)
	return w.Result()
}

func newHandler(rules Rules, log *bytes.Buffer) *Handler {
	return New(Options{
		Rules: rules, Next: http.HandlerFunc(api), Methods: methods,
		Now: func() time.Time { return time.Unix(1_790_000_000, 0) }, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
}

func TestWhoSeesWhat(t *testing.T) {
	const here, elsewhere = "https://fleet.example.com", "https://elsewhere.example"
	marked := []string{"Access-Control-Allow-Origin: " + here, "Access-Control-Expose-Headers: " + exposed, "Vary: Origin"}
	type outcome struct {
		status int
		added  []string // headers added to the answer of the API; nil with status 204 for a preflight
		logged string   // a part of the line; "" for none
	}
	for _, test := range []struct {
		rules                Rules
		method, path, origin string
		preflight            bool
		want                 outcome
	}{
		{Rules{}, "GET", "/things", "", false, outcome{200, nil, ""}},
		{Rules{}, "GET", "/things", here, false, outcome{200, nil, ""}},
		{Rules{}, "OPTIONS", "/things", here, false, outcome{405, nil, ""}},
		{Rules{}, "OPTIONS", "/things", here, true, outcome{405, nil, "origin=" + here}},
		{Rules{}, "OPTIONS", "/console/", here, true, outcome{405, nil, ""}},
		{mustParse(t, here), "GET", "/things", "", false, outcome{200, nil, ""}},
		{mustParse(t, here), "GET", "/things", here, false, outcome{200, marked, ""}},
		{mustParse(t, here), "PUT", "/things", here, false, outcome{405, marked, ""}},
		{mustParse(t, here), "OPTIONS", "/things", here, false, outcome{405, marked, ""}},
		{mustParse(t, here), "OPTIONS", "/things", "", true, outcome{405, nil, ""}},
		{mustParse(t, here), "OPTIONS", "/things", here, true, outcome{204, nil, ""}},
		{mustParse(t, here), "OPTIONS", "/things", elsewhere, true, outcome{405, nil, "origin=" + elsewhere}},
		{mustParse(t, here), "GET", "/things", elsewhere, false, outcome{200, nil, "origin=" + elsewhere}},
		{mustParse(t, here), "GET", "/console/", here, false, outcome{405, nil, ""}},
		{mustParse(t, here), "OPTIONS", "/console/", here, true, outcome{405, nil, ""}},
		{mustParse(t, here), "OPTIONS", "/console/", elsewhere, true, outcome{405, nil, ""}},
	} {
		header := http.Header{}
		if test.origin != "" {
			header.Set("Origin", test.origin)
		}
		if test.preflight {
			header.Set("Access-Control-Request-Method", "GET")
		}
		name := fmt.Sprintf("%v: %s %s of %q, preflight %t", test.rules, test.method, test.path, test.origin, test.preflight)
		var log bytes.Buffer
		got := ask(t, test.rules, &log, test.method, test.path, header)
		if got.StatusCode != test.want.status {
			t.Errorf("%s: %d, want %d", name, got.StatusCode, test.want.status)
		}
		plain := httptest.NewRecorder()
		api(plain, httptest.NewRequest(test.method, test.path, http.NoBody))
		want := append(lines(plain.Result().Header), test.want.added...)
		if slices.Sort(want); got.StatusCode != http.StatusNoContent && !slices.Equal(lines(got.Header), want) {
			t.Errorf("%s: the head is %q, want %q", name, lines(got.Header), want)
		}
		if got.StatusCode == http.StatusNoContent && got.Header.Get("Access-Control-Allow-Methods") != "GET" {
			t.Errorf("%s: the preflight is answered with %q", name, lines(got.Header))
		}
		if got.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: browsers may send credentials", name)
		}
		if line := log.String(); (line == "") != (test.want.logged == "") || !strings.Contains(line, test.want.logged) || line != "" && !strings.Contains(line, "--cors-origin") {
			t.Errorf("%s: the log is %q, want %q in it", name, line, test.want.logged)
		}
	}
}

// A page that keeps trying, and one that makes up origins, write few log lines.
func TestFewLinesAboutStrangers(t *testing.T) {
	var log bytes.Buffer
	h := newHandler(mustParse(t, "https://fleet.example.com"), &log)
	long := strings.Repeat("x", 10_000)
	for i := range 1000 {
		for _, origin := range []string{"https://elsewhere.example", fmt.Sprintf("https://%d.example", i), long} {
			r := httptest.NewRequest("GET", "/things", http.NoBody)
			r.Header.Set("Origin", origin)
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	if n := strings.Count(log.String(), "\n"); n == 0 || n > allLinesMax || strings.Count(log.String(), "https://elsewhere.example ") != linesMax || log.Len() > 20_000 {
		t.Errorf("%d lines of %d bytes, want at most %d and one about each origin:\n%s", n, log.Len(), allLinesMax, log.String())
	}
}

// The body of a preflight is not read.
func TestThePreflightOfALongBodyEndsTheConnection(t *testing.T) {
	r := httptest.NewRequest("OPTIONS", "/things", strings.NewReader(strings.Repeat("x", 1<<20)))
	r.Header = http.Header{"Origin": {"https://fleet.example.com"}, "Access-Control-Request-Method": {"GET"}}
	w := httptest.NewRecorder()
	newHandler(mustParse(t, "https://fleet.example.com"), new(bytes.Buffer)).ServeHTTP(w, r)
	if got := w.Header().Get("Connection"); w.Code != http.StatusNoContent || got != "close" {
		t.Errorf("%d with Connection %q, want 204 and close", w.Code, got)
	}
}

// BenchmarkHandler measures what rules add to a request.
func BenchmarkHandler(b *testing.B) {
	for _, test := range []struct {
		name, listed, origin, method string
	}{
		{"Off", "", "", "GET"},
		{"OnWithoutOrigin", "https://fleet.example.com", "", "GET"},
		{"OnListed", "https://fleet.example.com", "https://fleet.example.com", "GET"},
		{"Preflight", "https://fleet.example.com", "https://fleet.example.com", "OPTIONS"},
	} {
		b.Run(test.name, func(b *testing.B) {
			var rules Rules
			if test.listed != "" {
				rules = Rules{origins: []string{test.listed}}
			}
			h := New(Options{Rules: rules, Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Methods: methods})
			r := httptest.NewRequest(test.method, "/things", http.NoBody)
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			if test.method == "OPTIONS" {
				r.Header.Set("Access-Control-Request-Method", "GET")
				r.Header.Set("Access-Control-Request-Headers", "amz-sdk-invocation-id,amz-sdk-request,authorization,x-amz-content-sha256,x-amz-date,x-amz-user-agent")
			}
			b.ReportAllocs()
			for b.Loop() {
				w := answerHead{}
				h.ServeHTTP(w, r)
			}
		})
	}
}

// answerHead is a ResponseWriter that keeps only the head.
type answerHead http.Header

func (a answerHead) Header() http.Header         { return http.Header(a) }
func (a answerHead) Write(b []byte) (int, error) { return len(b), nil }
func (a answerHead) WriteHeader(int)             {}
