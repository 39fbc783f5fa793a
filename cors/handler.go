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
	// Methods returns the methods that an escaped path of the API has. Requests for
	// a path that has none go to Next as if there were no rules.
	Methods func(escapedPath string) []string
	Now     func() time.Time // of the log
	Log     *slog.Logger     // is told of browsers that are not let in
}

// Lines a minute about browsers that are not let in: of one origin, and of all.
const linesMax, allLinesMax = 1, 20

// Handler puts rules before an API. Without rules its answers are those of Next.
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

// tell names an origin that is not listed in the log: the browser tells its user
// that something was wrong, and only the server knows what.
func (h *Handler) tell(r *http.Request) {
	origin := respond.Clip(r.Header.Get("Origin"))
	if left, ok := h.lines.Take(origin, h.o.Now()); ok {
		h.o.Log.LogAttrs(r.Context(), slog.LevelWarn, "a page in a browser cannot read answers: --cors-origin does not list its origin",
			slog.String("origin", origin), slog.String("path", respond.Clip(r.URL.Path)), slog.String("remote", r.RemoteAddr), loglimit.LeftOut(left))
	}
}
