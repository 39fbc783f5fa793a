package cors

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for origin, want := range map[string]string{ // "" for one that is accepted, else a part of the error
		"https://fleet.example.com":       "",
		"http://localhost:5173":           "",
		"http://127.0.0.1:5173":           "",
		"http://[::1]:5173":               "",
		"https://xn--bcher-kva.example":   "",
		"*":                               "",
		"":                                "an origin is empty",
		"null":                            "every page that has none",
		"fleet.example.com":               "is no origin",
		"localhost:5173":                  "is no origin",
		"ftp://fleet.example.com":         "is no origin",
		"https://":                        "is no origin",
		"https://*.example.com":           "is no origin",
		" https://fleet.example.com":      "is no origin",
		"https://fleet.example.com ":      "is no origin",
		"https://a.example https://b":     "is no origin",
		"https://fleet.example.com\n":     "is no origin",
		"https://fleet.example.com/":      "write https://fleet.example.com",
		"https://fleet.example.com/app":   "write https://fleet.example.com",
		"https://fleet.example.com?a":     "write https://fleet.example.com",
		"https://fleet.example.com#a":     "write https://fleet.example.com",
		"https://me@fleet.example.com":    "write https://fleet.example.com",
		"https://fleet.example.com:443":   "write https://fleet.example.com",
		"https://fleet.example.com:":      "write https://fleet.example.com",
		"http://fleet.example.com:080":    "write http://fleet.example.com",
		"http://fleet.example.com:05173":  "write http://fleet.example.com:5173",
		"HTTPS://Fleet.Example.com":       "write https://fleet.example.com",
		"http://[0:0::1]:5173":            "write http://[::1]:5173",
		"https://bücher.example":          "begins with xn--",
		"https://fleet..example.com":      "no host that a browser sends",
		"https://fleet.example.com:1e3":   "is no origin",
		"https://fleet.example.com:65536": "beyond 65535",
	} {
		_, err := Parse([]string{origin})
		switch {
		case want == "" && err != nil:
			t.Errorf("Parse(%q): %v", origin, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("Parse(%q): %v, want an error with %q", origin, err, want)
		}
	}
	if _, err := Parse([]string{"https://a.example", "*"}); err == nil {
		t.Error("Parse takes every origin beside one")
	}
	if rules, err := Parse(nil); err != nil || !rules.Off() {
		t.Errorf("Parse(nil) = %v, %v, want rules that list nothing", rules, err)
	}
}

func TestAdmits(t *testing.T) {
	listed := mustParse(t, "https://fleet.example.com", "http://localhost:5173")
	for name, test := range map[string]struct {
		rules   Rules
		origins []string
		want    bool
	}{
		"the first":          {listed, []string{"https://fleet.example.com"}, true},
		"the second":         {listed, []string{"http://localhost:5173"}, true},
		"another port":       {listed, []string{"http://localhost:5174"}, false},
		"another scheme":     {listed, []string{"http://fleet.example.com"}, false},
		"a host below it":    {listed, []string{"https://a.fleet.example.com"}, false},
		"a longer host":      {listed, []string{"https://fleet.example.com.evil.example"}, false},
		"a beginning of it":  {listed, []string{"https://fleet.example.co"}, false},
		"null":               {listed, []string{"null"}, false},
		"an empty one":       {listed, []string{""}, false},
		"none":               {listed, nil, false},
		"two":                {listed, []string{"https://fleet.example.com", "https://fleet.example.com"}, false},
		"a list":             {listed, []string{"https://fleet.example.com, http://localhost:5173"}, false},
		"null of everyone":   {mustParse(t, "*"), []string{"null"}, true},
		"one of everyone":    {mustParse(t, "*"), []string{"https://a.example"}, true},
		"nobody of everyone": {mustParse(t, "*"), nil, false},
		"one of no rules":    {Rules{}, []string{"https://a.example"}, false},
		"* of no rules":      {Rules{}, []string{"*"}, false},
	} {
		if got := test.rules.Admits(http.Header{"Origin": test.origins}); got != test.want {
			t.Errorf("%s: Admits(%q) = %t", name, test.origins, got)
		}
	}
}

func TestPreflight(t *testing.T) {
	long := strings.Repeat("x-header,", askedMax+10)
	for name, test := range map[string]struct {
		origin string // listed
		asked  []string
		want   []string // lines of the answer, without those of every answer
	}{
		"an SDK": {
			"http://localhost:5173", []string{"amz-sdk-invocation-id,amz-sdk-request,authorization,x-amz-content-sha256,x-amz-date,x-amz-security-token,x-amz-user-agent"},
			[]string{
				"Access-Control-Allow-Headers: amz-sdk-invocation-id, amz-sdk-request, authorization, x-amz-content-sha256, x-amz-date, x-amz-security-token, x-amz-user-agent",
				"Access-Control-Allow-Origin: http://localhost:5173",
			},
		},
		"no headers": {"http://localhost:5173", nil, []string{"Access-Control-Allow-Origin: http://localhost:5173"}},
		"every origin": {"*", []string{"authorization", "x-amz-date"}, []string{
			"Access-Control-Allow-Headers: authorization, x-amz-date", "Access-Control-Allow-Origin: *",
		}},
		"what is no name": {"*", []string{"*, authorization,, a b, x:y, " + strings.Repeat("x", 65) + ",\tx-amz-date "}, []string{
			"Access-Control-Allow-Headers: authorization, x-amz-date", "Access-Control-Allow-Origin: *",
		}},
		"too many": {"*", []string{long, long}, []string{
			"Access-Control-Allow-Headers: " + strings.TrimSuffix(strings.Repeat("x-header, ", askedMax), ", "), "Access-Control-Allow-Origin: *",
		}},
	} {
		answer := http.Header{}
		request := http.Header{"Origin": {"http://localhost:5173"}, "Access-Control-Request-Headers": test.asked}
		mustParse(t, test.origin).Preflight(request, answer, []string{"DELETE", "GET"})
		want := append(test.want, "Access-Control-Allow-Methods: DELETE, GET", "Access-Control-Max-Age: 7200", "Vary: Origin, Access-Control-Request-Headers")
		slices.Sort(want)
		if got := lines(answer); !slices.Equal(got, want) {
			t.Errorf("%s: the answer is\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// lines returns the lines of a head, sorted.
func lines(h http.Header) []string {
	var all []string
	for name, values := range h {
		for _, value := range values {
			all = append(all, fmt.Sprintf("%s: %s", name, value))
		}
	}
	slices.Sort(all)
	return all
}

func mustParse(t *testing.T, origins ...string) Rules {
	t.Helper()
	rules, err := Parse(origins)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
