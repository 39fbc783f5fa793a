// Package operator serves what Muster has beside the contract: the paths below
// /muster/v1, and others of its own such as /metrics. Each is a row of a table
// (Routes): a method and a path, the action that a caller's key must allow, and a
// function. What is the same for all is in Server: signatures, policies and their
// conditions, limits, errors, and one event in the log for each request, refused or
// not. Almost all functions have one form: the body is decoded, a small interface is
// called, and its answer is encoded (serve). Client calls the same actions.
package operator

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/internal/jsontext"
	"github.com/muster-iot/muster/internal/respond"
	"github.com/muster-iot/muster/sigv4"
)

// Prefix begins the paths that are the operator's, also those without a row.
const Prefix = "/muster/v1/"

// Route is a row of the table.
type Route struct {
	Method string
	// Path is a template such as /muster/v1/jobs/{job}/options. A segment in braces
	// matches any segment that is not empty; Call.Names holds it, decoded.
	Path string
	// Action is what the caller's key must allow, such as muster:Backup.
	Action string
	// Resources return the ARNs that the action is on, all of which the key must allow, or an error for a name that
	// cannot be one. None means "*".
	Resources []func(names map[string]string) (arn string, err error)
	// Queried are parameters of the query that are among the names, too: "" where they are absent.
	Queried []string
	// NoUse says that the request does not count as a use of the key that signs it, since it
	// asks for that.
	NoUse bool
	// BodyMax bounds the body, in bytes; zero means 16 KiB.
	BodyMax int
	// Serve answers the request: it returns a value that is sent as JSON, or Taken. An
	// error of the type *muster.Error is sent as the table of errors says for its kind;
	// others are logged and sent as an internal failure.
	Serve func(ctx context.Context, c *Call) (any, error)
}

// bodyMax is the default of Route.BodyMax, enough for names and one document.
const bodyMax = 16 << 10

// Taken is returned by a Route that has answered through Call.Writer.
var Taken = new(struct{ _ byte })

// Call is a request that is authenticated and authorized.
type Call struct {
	Request *http.Request
	Writer  http.ResponseWriter
	Body    []byte
	Names   map[string]string // of the segments in braces
	Caller  identity.Caller
}

// Decode reads the body as a JSON object into a struct. It refuses members that the struct
// does not have, duplicate members, and anything after the object.
func (c *Call) Decode(into any) error {
	d := json.NewDecoder(bytes.NewReader(c.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if fault := jsontext.Fault(c.Body); fault != "" {
			return muster.Errorf(muster.Invalid, "The body must be a JSON object; it is not valid JSON %s", fault)
		}
		return muster.Errorf(muster.Invalid, "The body must be a JSON object: %s", decodeFault(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return muster.Errorf(muster.Invalid, "The body must be one JSON object")
	}
	if name, twice := jsontext.DuplicateName(c.Body); twice {
		return muster.Errorf(muster.Invalid, "The member %q stands in the body more than once", respond.Clip(name))
	}
	return nil
}

// decodeFault describes why valid JSON does not fit the struct, without the names of Go types.
func decodeFault(err error) string {
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err.Error()
	}
	value := "a " + e.Value
	if e.Value == "array" || e.Value == "object" {
		value = "an " + e.Value
	}
	if e.Field == "" {
		return "it is " + value
	}
	return fmt.Sprintf("%q cannot be %s", e.Field, value)
}

// Options are the parts of a Server. Routes, Keys, Region and Now are required.
type Options struct {
	Routes []Route
	Keys   *identity.Keys
	Region string
	// AcceptAnyRegion accepts signatures that are scoped to other regions than Region.
	AcceptAnyRegion bool
	Now             func() time.Time
	Flood           *flood.Guard // nil: no limit
	Log             *slog.Logger // nil: no log
	// Observe is called at the end of each request with words from fixed tables: the
	// action, and "ok" or the type of the error. May be nil.
	Observe func(action, code string, took time.Duration)
}

// Server serves a table of routes to holders of access keys only, also in a deployment that
// requires no signatures elsewhere.
type Server struct {
	o        Options
	verifier sigv4.Verifier
}

// New returns a server on o.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	return &Server{o: o, verifier: sigv4.Verifier{Lookup: o.Keys.Lookup, Region: o.Region, AcceptAnyRegion: o.AcceptAnyRegion}}
}

// Actions returns the actions of all routes, each once, sorted.
func Actions() []string {
	var actions []string
	for _, r := range Routes(Parts{}) {
		actions = append(actions, r.Action)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// Claims reports whether the path of a request, as it was received, belongs to s.
func (s *Server) Claims(r *http.Request) bool {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, Prefix) {
		return true
	}
	return slices.ContainsFunc(s.o.Routes, func(route Route) bool { _, ok := match(route.Path, path); return ok })
}

// request is a request in progress.
type request struct {
	id       string
	began    time.Time
	r        *http.Request
	w        *respond.Recorder
	route    *Route // nil until it is known
	resource string // "*" until it is known
	key      string // access key id, as claimed
	caller   identity.Caller

	code string // how it ended: "ok" or the type of the error
	err  error
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{id: rand.Text(), began: s.o.Now(), r: r, w: &respond.Recorder{ResponseWriter: w}, resource: "*", code: "ok"}
	w.Header().Set("X-Amzn-Requestid", q.id)
	defer func() { s.ended(q) }()
	defer q.w.Contain(q.fail, func(err error) { q.code, q.err = "panic", err })
	c, err := s.admit(q)
	if err != nil {
		q.fail(err)
		return
	}
	said, err := q.route.Serve(r.Context(), c)
	switch {
	case err != nil:
		q.fail(err)
	case said != Taken:
		answer(q.w, http.StatusOK, said)
	}
}

// admit finds the route of a request, authenticates its sender and authorizes the action.
func (s *Server) admit(q *request) (*Call, error) {
	if _, err := s.find(q); err != nil {
		return nil, err
	}
	head, body, err := s.verify(q)
	if err != nil {
		intake.Unread(q.w, q.r)
		return nil, err
	}
	holder := s.o.Keys.Caller
	if q.route.NoUse {
		holder = s.o.Keys.Holder
	}
	if q.caller, err = holder(head.AccessKeyID); err != nil {
		return nil, err
	}
	intake.Known(q.r.Context())
	head.SetTarget(q.r.URL) // the target that was signed, which the route must be found by
	names, err := s.find(q)
	if err != nil {
		return nil, err
	}
	var resources []string
	for _, named := range q.route.Resources {
		arn, err := named(names)
		if err != nil {
			return nil, err
		}
		resources = append(resources, arn)
		q.resource = strings.Join(resources, " ")
	}
	if err := q.caller.Authorize(q.route.Action, resources, identity.From(q.r.RemoteAddr)); err != nil {
		return nil, err
	}
	return &Call{Request: q.r, Writer: q.w, Body: body, Names: names, Caller: q.caller}, nil
}

// verify returns the signature and the body of a request. It reads the body only when the head
// may be genuine.
func (s *Server) verify(q *request) (*sigv4.Head, []byte, error) {
	leave, err := s.o.Flood.Enter(q.r.Context(), q.r.RemoteAddr)
	if err != nil {
		return nil, nil, err
	}
	head, err := s.verifier.Head(q.r, s.o.Now())
	leave()
	q.key = head.AccessKeyID
	if err != nil {
		return head, nil, err
	}
	body, err := q.body()
	if err == nil {
		err = head.Verify(body)
	}
	return head, body, err
}

// find sets the route of a request and returns the names in its path.
func (s *Server) find(q *request) (map[string]string, error) {
	q.route = nil
	path := q.r.URL.EscapedPath()
	var allow []string
	for i := range s.o.Routes {
		names, ok := match(s.o.Routes[i].Path, path)
		if ok && s.o.Routes[i].Method == q.r.Method {
			q.route = &s.o.Routes[i]
			for _, name := range q.route.Queried {
				names[name] = q.r.URL.Query().Get(name)
			}
			return names, nil
		}
		if ok {
			allow = append(allow, s.o.Routes[i].Method)
		}
	}
	if allow != nil {
		return nil, &methodError{q.r.Method, respond.Clip(path), allow}
	}
	return nil, &unknownPathError{respond.Clip(path)}
}

// body reads the whole body of a request.
func (q *request) body() ([]byte, error) {
	most := q.route.BodyMax
	if most == 0 {
		most = bodyMax
	}
	body, err := intake.Body(q.r, most)
	switch {
	case errors.Is(err, intake.ErrTooLarge):
		return nil, &tooLargeError{most}
	case errors.Is(err, intake.ErrBusy):
		return nil, &muster.Error{Kind: muster.Unavailable, Msg: "The server is receiving too many requests. Please try again.", Err: err}
	case err != nil:
		return nil, &muster.Error{Kind: muster.Invalid, Msg: "The request body could not be read", Err: err}
	}
	return body, nil
}

// ended logs and counts a request: one event with all that is known, and no secret.
func (s *Server) ended(q *request) {
	took := s.o.Now().Sub(q.began)
	action := "unknown"
	if q.route != nil {
		action = q.route.Action
	}
	s.o.Observe(action, q.code, took)
	attrs := []slog.Attr{
		slog.String("operation", action), slog.String("plane", "operator"), slog.String("code", q.code), slog.Int("status", q.w.Status),
		slog.Duration("took", took), slog.String("request_id", q.id), slog.String("remote", q.r.RemoteAddr),
		slog.String("method", q.r.Method), slog.String("path", respond.Clip(q.r.URL.EscapedPath())), slog.String("resource", respond.Clip(q.resource)),
	}
	if q.key != "" {
		attrs = append(attrs, slog.String("access_key", q.key))
	}
	level := slog.LevelInfo
	if q.err != nil {
		text := respond.Clip(q.err.Error())
		if q.w.Status >= http.StatusInternalServerError && !errors.Is(q.err, context.Canceled) { // the client is gone; that is not an error of the server
			level, text = slog.LevelError, q.err.Error()
		}
		attrs = append(attrs, slog.String("error", text))
	}
	s.o.Flood.Log(q.r.Context(), s.o.Log, level, "request", q.r.RemoteAddr, q.caller.ARN != "", attrs...)
}
