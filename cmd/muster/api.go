package main

import (
	"context"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"
)

// api is the handler of the API listener: a few paths of the operator's own, and
// the contract for everything else. It is no http.ServeMux, which would redirect
// paths that are signed as they are.
type api struct {
	contract  http.Handler
	websocket http.Handler
	metrics   http.Handler
	backup    http.Handler
	explain   http.Handler
	clock     http.Handler
	letters   http.Handler
	reset     http.Handler
	options   http.Handler
	ready     func(context.Context) error
}

const (
	backupPath  = "/muster/v1/backup"
	explainPath = "/muster/v1/explain-policy"
	clockPath   = "/muster/v1/clock"
	// readyTimeout bounds the look at the store.
	readyTimeout = 5 * time.Second
)

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		plain(w, http.StatusOK, "ok")
	case "/readyz":
		a.serveReady(w, r)
	case "/metrics":
		a.metrics.ServeHTTP(w, r)
	case websocketPath:
		a.websocket.ServeHTTP(w, r)
	case backupPath:
		a.backup.ServeHTTP(w, r)
	case explainPath:
		a.explain.ServeHTTP(w, r)
	case clockPath:
		a.clock.ServeHTTP(w, r)
	case resetPath:
		a.reset.ServeHTTP(w, r)
	case deadLettersPath:
		a.letters.ServeHTTP(w, r)
	default:
		if strings.HasPrefix(r.URL.Path, jobOptionsPath) {
			a.options.ServeHTTP(w, r)
			return
		}
		a.contract.ServeHTTP(w, r)
	}
}

// deviceAPI is what devices reach by HTTPS with their certificates: jobs, and
// messages by the paths that only those have.
type deviceAPI struct {
	jobs, messages http.Handler
}

func (a *deviceAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case slices.Contains([]string{"topics", "retainedMessage", "connections"}, first),
		first == "things" && strings.HasSuffix(rest, "/shadow") && strings.Count(rest, "/") == 1:
		a.messages.ServeHTTP(w, r)
	default:
		a.jobs.ServeHTTP(w, r)
	}
}

func (a *api) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := a.ready(ctx); err != nil {
		plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // a client that went away is no fault of ours
}

// profiler serves the Go profiler.
func profiler() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
}
