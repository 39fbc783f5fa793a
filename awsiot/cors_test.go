package awsiot

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/cors"
	"github.com/muster-iot/muster/intake"
)

// A page can read failures of the server itself, too.
func TestAPageSeesFaults(t *testing.T) {
	const origin = "https://fleet.example.com"
	rules, err := cors.Parse([]string{origin})
	if err != nil {
		t.Fatal(err)
	}
	env := newEnvWith(t, Options{Log: slog.New(slog.DiscardHandler)})
	h := cors.New(cors.Options{Rules: rules, Next: env.server, Methods: env.server.Methods, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	for fault, test := range map[string]struct {
		run  func(context.Context, *call) ([]byte, error)
		body busyBody
	}{
		"a panic":                {func(context.Context, *call) ([]byte, error) { panic("boom") }, busyBody{}},
		"no room for the body":   {env.server.operations[wire.ListJobs].run, busyBody{intake.ErrBusy}},
		"a client that gives up": {func(context.Context, *call) ([]byte, error) { return nil, context.Canceled }, busyBody{}},
	} {
		env.server.operations[wire.ListJobs] = operation{Operation: wire.ListJobs, run: test.run}
		r := env.sign(httptest.NewRequest("GET", "/jobs", nil), "", "iot")
		r.Header.Set("Origin", origin)
		if test.body.err != nil {
			r.Body = test.body
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 503 || w.Header().Get("Access-Control-Allow-Origin") != origin || w.Header().Get("X-Amzn-Errortype") != "ServiceUnavailableException" {
			t.Errorf("%s: %d %v", fault, w.Code, w.Header())
		}
	}
}

// busyBody is a body that cannot be read.
type busyBody struct{ err error }

func (b busyBody) Read([]byte) (int, error) { return 0, b.err }
func (busyBody) Close() error               { return nil }

func TestMethods(t *testing.T) {
	s := newEnv(t).server
	for path, want := range map[string][]string{
		"/":                        {"POST"},
		"/things":                  {"GET", "POST"},
		"/things/lamp":             {"DELETE", "GET", "PATCH", "POST"},
		"/things/lamp/jobs/$next":  {"GET", "POST", "PUT"},
		"/topics/a/b":              {"POST"},
		"/things/lamp%2Fpost/jobs": {"GET"},
		"/console/":                nil,
		"/muster/v1/clock":         nil,
		"/things/":                 nil,
		"*":                        nil,
		"":                         nil,
		"/%zz":                     nil,
	} {
		if got := s.Methods(path); !slices.Equal(got, want) {
			t.Errorf("Methods(%q) = %q, want %q", path, got, want)
		}
	}
}
