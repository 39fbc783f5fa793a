package cors

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/internal/loglimit"
	"github.com/muster-iot/muster/internal/respond"
)

// Options are the parts of a Handler. Next, Methods, Now and Log are required.
type Options struct {
	Rules Rules
	Next  http.Handler
	// Methods returns the methods of the API for an escaped path. Requests for a path
	// without any are passed to Next as if there were no rules.
	Methods func(escapedPath string) []string
	Now     func() time.Time // of the log
	Log     *slog.Logger     // gets refused origins
}

// Log lines a minute about refused origins: for one origin, and for all.
const linesMax, allLinesMax = 1, 20

// Handler applies rules to an API. Without rules its answers are those of Next.
type Handler struct {
	o     Options
	lines *loglimit.Limiter
}

// New returns a handler on o.
func New(o Options) *Handler { return &Handler{o, loglimit.New(linesMax, allLinesMax)} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rules, preflight := h.o.Rules, IsPreflight(r)
	if len(r.Header["Origin"]) == 0 || rules.Off() && !preflight {
		h.o.Next.ServeHTTP(w, r)
		return
	}
	methods := h.o.Methods(r.URL.EscapedPath())
	switch {
	case len(methods) == 0: // not of the API
	case !rules.Admits(r.Header):
		h.tell(r)
	case preflight:
		intake.Unread(w, r)
		rules.Preflight(r.Header, w.Header(), methods)
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		rules.Mark(r.Header, w.Header())
	}
	h.o.Next.ServeHTTP(w, r)
}

// tell logs an origin that is not listed: the browser shows its user only that the
// request failed, not why.
func (h *Handler) tell(r *http.Request) {
	origin := respond.Clip(r.Header.Get("Origin"))
	if left, ok := h.lines.Take(origin, h.o.Now()); ok {
		h.o.Log.LogAttrs(r.Context(), slog.LevelWarn, "a page in a browser cannot read answers: --cors-origin does not list its origin",
			slog.String("origin", origin), slog.String("path", respond.Clip(r.URL.Path)), slog.String("remote", r.RemoteAddr), loglimit.LeftOut(left))
	}
}
