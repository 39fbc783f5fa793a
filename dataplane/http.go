package dataplane

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/respond"
)

// HTTP answers requests of the HTTPS data plane (jobs-data-plane.md section 7).
// Its caller has authenticated the sender, by signature or by certificate, and
// has set the request id of the answer.
type HTTP struct {
	s     *Service
	open  context.Context // ends with Drain
	drain context.CancelFunc
}

// HTTP returns the service for HTTPS listeners.
func (s *Service) HTTP() *HTTP {
	h := &HTTP{s: s}
	h.open, h.drain = context.WithCancel(context.Background())
	return h
}

// Drain makes all long polls, those under way and those to come, end with an
// ordinary empty answer. It is for http.Server.RegisterOnShutdown.
func (h *HTTP) Drain() { h.drain() }

// ServeCaller answers a request that caller sent, if the caller's policies
// allow the operation on the thing. A long poll occupies its own goroutine and
// nothing else; it ends when its client goes away.
func (h *HTTP) ServeCaller(w http.ResponseWriter, in *http.Request, caller identity.Caller) {
	h.serve(w, in, sender{caller.ARN, caller.Life, func(action string, thing muster.ThingName) error {
		return caller.Authorize(action, []string{h.s.o.Account.ARN("thing", string(thing))}, identity.From(in.RemoteAddr))
	}})
}

// sender is who sent a request, and what they may do at the moment.
type sender struct {
	name string
	life func() context.Context // a wait of the sender ends with it
	may  func(action string, thing muster.ThingName) error
}

// permits returns a Forbidden error unless the sender may do r.
func (s sender) permits(r *request) error {
	if err := s.may("iotjobsdata:"+operationNames[r.Kind], r.Thing); err != nil {
		return &muster.Error{Kind: muster.Forbidden, Msg: "Forbidden", Err: err}
	}
	return nil
}

func (h *HTTP) serve(w http.ResponseWriter, in *http.Request, from sender) {
	h.s.o.Turns.Asked()
	began := h.s.o.Now()
	r, found := route(in)
	if !found {
		refuse(w, in)
		return
	}
	a := answer{err: h.admit(w, in, r, from)}
	if a.err == nil {
		wait := longPoll(in, r)
		if wait > 0 {
			w.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
		}
		a = h.poll(in.Context(), r, from, wait)
	}
	if in.Context().Err() == nil {
		h.write(w, r, a)
	}
	h.s.ended(source{protocol: overHTTP, client: from.name}, r, a, h.s.o.Now().Sub(began))
}

// route finds the operation of a request by its escaped path. A segment is
// decoded once, after the path has been split.
func route(in *http.Request) (*request, bool) {
	var parts [5]string
	n := 0
	for part := range strings.SplitSeq(strings.TrimPrefix(in.URL.EscapedPath(), "/"), "/") {
		if n == len(parts) {
			return nil, false
		}
		text, err := url.PathUnescape(part)
		if err != nil {
			return nil, false
		}
		parts[n], n = text, n+1
	}
	if n < 3 || n > 4 || parts[0] != "things" || parts[2] != "jobs" {
		return nil, false
	}
	r := &request{Topic: Topic{Thing: muster.ThingName(parts[1]), Job: muster.JobID(parts[3])}}
	switch {
	case n == 3 && in.Method == http.MethodGet:
		r.Kind = GetPending
	case n == 4 && in.Method == http.MethodPut && r.Job == NextJob:
		r.Kind, r.Job = StartNext, ""
	case n == 4 && in.Method == http.MethodGet:
		r.Kind = Describe
	case n == 4 && in.Method == http.MethodPost:
		r.Kind = Update
	default:
		return nil, false
	}
	return r, true
}

// commandsPath is the path of the one operation of the API that is not about
// jobs.
const commandsPath = "/command-executions"

// refuse answers a request for no operation of the jobs data plane, or for
// StartCommandExecution, which Muster does not have (jobs-data-plane.md
// section 6.5).
func refuse(w http.ResponseWriter, in *http.Request) {
	f := refusal{word: wordTopic, message: in.Method + " " + in.URL.EscapedPath() + " is no operation of the jobs data plane"}
	if in.Method == http.MethodPost && in.URL.Path == commandsPath {
		f.word = word{exception: "NotImplementedException", status: http.StatusNotImplemented}
		f.message = "StartCommandExecution is an operation of the API that this server does not implement"
	}
	writeRefusal(w, &request{}, f)
}

// admit asks whether the sender may do r, and reads the rest of it.
func (h *HTTP) admit(w http.ResponseWriter, in *http.Request, r *request, from sender) error {
	if err := from.permits(r); err != nil {
		return err
	}
	query := in.URL.Query()
	if ns := query.Get("namespaceId"); ns != "" {
		if !muster.ValidNamespace(ns) {
			return violation("namespaceId", ns, "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+")
		}
		r.Namespace = muster.Namespace(ns)
	}
	if in.Method == http.MethodGet {
		return r.readQuery(query)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, in.Body, bodyMax))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return muster.Errorf(muster.Invalid, "The request body is larger than %d bytes", bodyMax)
	}
	if err != nil {
		return &muster.Error{Kind: muster.Invalid, Msg: "The request body could not be read", Err: err}
	}
	return r.read(body)
}

// bodyMax bounds the body of a request, as the broker bounds an MQTT payload.
const bodyMax = 128 << 10

// readQuery is read for an operation whose input is in the query.
func (r *request) readQuery(query url.Values) error {
	if err := r.checkNames(); err != nil {
		return err
	}
	param := func(name string) []byte {
		if !query.Has(name) {
			return nil
		}
		return appendString(nil, query.Get(name))
	}
	return r.decode(fields{executionNumber: param("executionNumber"), includeJobDocument: param("includeJobDocument")})
}

// waitMax is the longest a request may ask to wait (arbitration A11).
const waitMax = 300 * time.Second

// longPoll returns how long a request asks to wait for something to become
// pending: a whole number of seconds, zero when it does not ask or when its
// operation never waits. A header that cannot be read is ignored (RFC 7240).
func longPoll(in *http.Request, r *request) time.Duration {
	if r.Kind == Update || r.Kind == Describe && r.Job != NextJob {
		return 0
	}
	for _, header := range in.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(header, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 32)
			if err != nil {
				return 0
			}
			return min(time.Duration(seconds)*time.Second, waitMax)
		}
	}
	return 0
}

// poll performs r. If nothing is pending, it performs r again when something
// becomes pending within wait. The sender must still be permitted then: their
// certificate may have been deactivated or their access key removed, which also
// ends the wait.
func (h *HTTP) poll(ctx context.Context, r *request, from sender, wait time.Duration) answer {
	a := h.perform(ctx, r)
	if wait == 0 || a.err != nil || !a.empty(r.Kind) {
		return a
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(h.open, cancel)()
	defer context.AfterFunc(from.life(), cancel)()
	for a.err == nil && a.empty(r.Kind) && ctx.Err() == nil {
		if err := h.s.o.Jobs.AwaitPending(ctx, r.Thing, r.Namespace); err != nil {
			return answer{err: err}
		}
		if err := from.permits(r); err != nil {
			return answer{err: err}
		}
		if ctx.Err() == nil {
			a = h.perform(ctx, r)
		}
	}
	return a
}

// perform performs r once. It waits for a change that is under way even when the
// client is gone; that takes no longer than a commit.
func (h *HTTP) perform(ctx context.Context, r *request) answer {
	answered := make(chan answer, 1)
	h.s.serve(context.WithoutCancel(ctx), r, func(a answer) { answered <- a })
	return <-answered
}

func (h *HTTP) write(w http.ResponseWriter, r *request, a answer) {
	if a.err != nil {
		writeRefusal(w, r, refusalOf(a.err))
		return
	}
	respond.JSON(w, http.StatusOK, appendAccepted(make([]byte, 0, replySize(r, a)), overHTTP, r, a))
}

func writeRefusal(w http.ResponseWriter, r *request, f refusal) {
	if f.word == wordForbidden {
		f.trace = w.Header().Get("X-Amzn-RequestId")
	}
	w.Header().Set("X-Amzn-ErrorType", f.exception)
	w.Header().Del("Preference-Applied")
	respond.JSON(w, f.status, appendRejected(nil, overHTTP, r, f, 0))
}
