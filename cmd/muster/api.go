package main

import (
	"context"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster/operator"
)

// api serves holders of access keys over HTTP: MQTT over WebSocket, the paths of the
// operator, and the contract for everything else. It is not an http.ServeMux, which
// redirects some paths, and then the signature no longer fits.
type api struct {
	contract  http.Handler
	websocket http.Handler
	operator  *operator.Server
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.EscapedPath() == websocketPath:
		a.websocket.ServeHTTP(w, r)
	case a.operator.Claims(r):
		a.operator.ServeHTTP(w, r)
	default:
		a.contract.ServeHTTP(w, r)
	}
}

// deviceAPI serves devices over HTTPS with client certificates: messages on the paths
// that only messages have, and jobs on all others.
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

const (
	// readyTimeout bounds the check of the store.
	readyTimeout = 5 * time.Second
)

// probes answers whether the server is up and can be used, without a key, and
// leaves other paths to next.
type probes struct {
	ready func(context.Context) error
	next  http.Handler
}

func (p *probes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		plain(w, http.StatusOK, "ok")
	case "/readyz":
		p.serveReady(w, r)
	default:
		p.next.ServeHTTP(w, r)
	}
}

func (p *probes) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := p.ready(ctx); err != nil {
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

// watching serves scrapers and probes on a listener of their own, without a key.
func (s *server) watching() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+operator.MetricsPath, s.figures.Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "Muster "+versionText()+", for scrapers and probes:\n\n"+
			operator.MetricsPath+"  for Prometheus\n/healthz  200 while the process is up\n/readyz   200 when it can be used, else 503 and the reason")
	})
	mux.Handle("/", &probes{ready: s.ready, next: http.NotFoundHandler()})
	return mux
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
