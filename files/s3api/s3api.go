// Package s3api serves the built-in store of job files to stock S3 clients: the
// operations that `aws s3`, the SDKs and devices with a presigned URL use, with
// their signatures, ranges, checksums, uploads in parts and errors. It decides
// who may do what, by the same access keys and policies as the control plane,
// and stores nothing itself.
package s3api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/sigv4"
)

// Options are the parts a Server is made of. Files, Keys, Own, Region, Account,
// Now and OwnNow are required.
type Options struct {
	Files *diskstore.Store
	Keys  Keys
	// Own signs the URLs that the deployment hands out to its devices. What it
	// signed is allowed.
	Own     sigv4.Credential
	Region  string
	Account string
	// Hosts are the names in front of which a bucket may stand, in lower case and
	// without ports.
	Hosts []string
	// Now is real time, which clients sign with, and OwnNow that of the jobs,
	// which URLs signed by Own are made and end by: a test clock may move it.
	Now, OwnNow func() time.Time
	// AuthNone lets everybody do everything (arbitration A20). Set it only when
	// all listeners are on the loopback interface.
	AuthNone bool
	// AcceptAnyRegion takes signatures scoped to other regions than Region.
	AcceptAnyRegion bool
	Limits          Limits
	// Flood bounds what failed authentications cost. Nil bounds nothing.
	Flood *flood.Guard

	// Log is told of every request. Nil discards it.
	Log *slog.Logger
	// Observe is told how each request ended, in words from fixed tables: the
	// operation, and "ok" or the code of the error. Nil is allowed.
	Observe func(operation, code string, took time.Duration)
}

// Keys knows the access keys; *identity.Keys does. Its methods may be called by
// many goroutines.
type Keys interface {
	// Lookup returns an access key, or an error that wraps sigv4.ErrUnknownKey.
	Lookup(accessKeyID string) (sigv4.Credential, error)
	// Caller returns whom an access key stands for, or such an error.
	Caller(accessKeyID string) (identity.Caller, error)
}

// Limits bound what clients may do at once. Zero means the default.
type Limits struct {
	Uploads   int // bodies being received; 64, which take some 20 MiB of memory
	Downloads int // objects being sent; 10000, each an open file
	// LinkBytes is the most that a device may upload with a URL that the deployment
	// signed; 1 GiB.
	LinkBytes int64
}

// DefaultLinkBytes is the default of Limits.LinkBytes: more than a device has to
// tell, and not so much that one of them fills a disk.
const DefaultLinkBytes = 1 << 30

// Skew is how far a client's clock may be off, as S3 has it.
const skew = 15 * time.Minute

// Server serves the API. It is an http.Handler for the root of a listener; do
// not put an http.ServeMux in front of it, which redirects paths that are signed
// as they are.
type Server struct {
	o         Options
	verifier  sigv4.Verifier
	uploads   chan struct{} // holds a token for each body being received
	downloads chan struct{} // holds a token for each object being sent
}

// New returns a server on o.
func New(o Options) (*Server, error) {
	if o.Files == nil || o.Keys == nil || o.Own.AccessKeyID == "" || o.Region == "" || o.Account == "" || o.Now == nil || o.OwnNow == nil {
		return nil, fmt.Errorf("s3api: Files, Keys, Own, Region, Account, Now and OwnNow are required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	o.Hosts = slices.SortedFunc(slices.Values(o.Hosts), func(a, b string) int { return len(b) - len(a) }) // the longest fits best
	o.Limits.LinkBytes = cmp.Or(o.Limits.LinkBytes, DefaultLinkBytes)
	s := &Server{
		o:         o,
		uploads:   make(chan struct{}, cmp.Or(o.Limits.Uploads, 64)),
		downloads: make(chan struct{}, cmp.Or(o.Limits.Downloads, 10000)),
	}
	s.verifier = sigv4.Verifier{Lookup: s.lookup, Region: o.Region, AcceptAnyRegion: o.AcceptAnyRegion, Services: []string{"s3"}, Skew: skew}
	return s, nil
}

// ServeHTTP answers one request, whatever it is.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.newCall(w, r)
	defer s.end(c)
	defer c.w.Contain(c.fail, func(err error) { c.code, c.err = "panic", err })
	if err := s.serve(r.Context(), c); err != nil {
		c.fail(err)
	}
}

// serve finds out what a request wants and who sent it, and does it.
func (s *Server) serve(ctx context.Context, c *call) error {
	if err := c.unambiguous(); err != nil {
		return err
	}
	op, err := find(c)
	if err != nil {
		return err
	}
	c.operation = op.name
	if err := s.authenticate(c); err != nil {
		intake.Unread(c.w, c.r)
		return err
	}
	intake.Known(ctx)
	c.still = func() error { return c.authorize(op.action, c.resource()) }
	if err := c.still(); err != nil {
		return err
	}
	return op.run(s, ctx, c)
}
