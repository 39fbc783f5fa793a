// Package s3api serves the built-in store of job files to stock S3 clients: the
// operations that `aws s3`, the SDKs and devices with a presigned URL use, with
// their signatures, ranges, checksums, multipart uploads and errors. It authorizes
// callers by the same access keys and policies as the control plane. It stores
// nothing itself.
package s3api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/files/diskstore"
	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/intake"
	"github.com/muster-iot/muster/sigv4"
)

// Options are the parts of a Server. Files, Keys, Own, Region, Account,
// Now and OwnNow are required.
type Options struct {
	Files *diskstore.Store
	Keys  Keys
	// Own is the key with which the deployment signs the URLs for devices. What such
	// a URL asks for is permitted.
	Own     sigv4.Credential
	Region  string
	Account string
	// Hosts are the names to which a client may prepend the bucket (virtual-hosted
	// requests), in lower case and without ports.
	Hosts []string
	// Now is real time, by which clients sign. OwnNow is the clock of jobs, by which
	// URLs signed by Own are made and expire; a test clock may move it.
	Now, OwnNow func() time.Time
	// AuthNone permits everything without a signature (arbitration A20). Set it only
	// when all listeners are on the loopback interface.
	AuthNone bool
	// AcceptAnyRegion accepts signatures scoped to other regions than Region.
	AcceptAnyRegion bool
	Limits          Limits
	// Flood bounds the cost of failed authentications. Nil bounds nothing.
	Flood *flood.Guard

	// Audit returns what records changes and refusals, once requests are served; nil records nothing. A nil function returns nil.
	Audit func() *audit.Log
	// Log gets one event for each request. Nil discards.
	Log *slog.Logger
	// Observe is called with the outcome of each request, in words from fixed tables:
	// the operation, and "ok" or the code of the error. Nil is allowed.
	Observe func(operation, code string, took time.Duration)
}

// Keys looks up access keys; *identity.Keys implements it. Its methods may be called by
// many goroutines.
type Keys interface {
	// Lookup returns an access key, or an error that wraps sigv4.ErrUnknownKey.
	Lookup(accessKeyID string) (sigv4.Credential, error)
	// Caller returns the holder of an access key, or such an error.
	Caller(accessKeyID string) (identity.Caller, error)
}

// Limits bound transfers. Zero means the default.
type Limits struct {
	Uploads   int // bodies being received at once; default 64, which take some 20 MiB of memory
	Downloads int // objects being sent at once; default 10000, each an open file
	// LinkBytes is the largest upload with a URL that the deployment signed, in bytes;
	// default DefaultLinkBytes.
	LinkBytes int64
}

// DefaultLinkBytes is the default of Limits.LinkBytes, 1 GiB: more than devices upload,
// and too little for one device to fill a disk at once.
const DefaultLinkBytes = 1 << 30

// skew is how far a client's clock may deviate, as for S3.
const skew = 15 * time.Minute

// Server serves the API. It is an http.Handler for the root of a listener. Do not put an
// http.ServeMux before it: that redirects to cleaned paths, but signatures cover the path
// as sent.
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
	if o.Audit == nil {
		o.Audit = func() *audit.Log { return nil }
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	o.Hosts = slices.SortedFunc(slices.Values(o.Hosts), func(a, b string) int { return len(b) - len(a) }) // the longest match first
	o.Limits.LinkBytes = cmp.Or(o.Limits.LinkBytes, DefaultLinkBytes)
	s := &Server{
		o:         o,
		uploads:   make(chan struct{}, cmp.Or(o.Limits.Uploads, 64)),
		downloads: make(chan struct{}, cmp.Or(o.Limits.Downloads, 10000)),
	}
	s.verifier = sigv4.Verifier{Lookup: s.lookup, Region: o.Region, AcceptAnyRegion: o.AcceptAnyRegion, Services: []string{"s3"}, Skew: skew}
	return s, nil
}

// ServeHTTP implements http.Handler. It answers every request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.newCall(w, r)
	defer s.end(c)
	defer c.w.Contain(c.fail, func(err error) { c.code, c.err = "panic", err })
	if err := s.serve(r.Context(), c); err != nil {
		c.fail(err)
	}
}

// serve finds the operation of a request, authenticates and authorizes the caller, and runs
// the operation.
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
	c.revoked = func() error { return c.authorize(op.action, c.resource()) }
	return s.audited(ctx, c, func(ctx context.Context) error {
		if err := c.revoked(); err != nil {
			return err
		}
		return op.run(s, ctx, c)
	})
}
