// Package awsiot is the HTTPS edge: it turns a signed request into one call of
// the engine and the outcome into the bytes that a stock AWS client expects
// (jobs-control-plane.md section 1, registry.md section 1). It serves the
// control plane itself and hands what belongs to a data plane on.
//
// It holds no rule and no state: whatever depends on what is stored is the
// engine's, and whatever depends on the model alone is awsiot/wire's.
package awsiot

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/route"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/limits"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/sigv4"
)

// Options are the parts a Server is made of. Those that keep what the operations
// are about, Account and Now are required, and Keys unless AuthNone is set.
type Options struct {
	// These keep what the operations are about. *engine.Engine is all of them.
	// Their methods may be called by many goroutines; an error that the caller may
	// see is a *muster.Error.
	Catalog  Catalog
	Events   Events
	Jobs     Jobs
	Registry Registry
	Rights   Rights
	Tags     Tags

	Account muster.Account
	Now     func() time.Time // of the signatures and of the log
	Keys    Keys
	// DataPlane serves the operations of the jobs data plane. Nil answers them
	// as not implemented.
	DataPlane DataPlane
	// Messages serves the operations about messages and connections. Nil answers
	// them as not implemented.
	Messages  DataPlane
	Endpoints Endpoints
	// Documents reads what a documentSource names. Nil refuses it.
	Documents Documents
	// Room is asked before an operation of the control plane that writes. Nil has
	// room for all.
	Room reserve.Room
	// Issuer makes the certificates of devices. Without it the operations that
	// ask for one fail.
	Issuer *ca.Authority

	// AuthNone lets everybody do everything (arbitration A20). Set it only when
	// all listeners are on the loopback interface; requests that a browser sent
	// for another site, or that were meant for another host, are still refused.
	AuthNone bool
	// Rate says how many requests a second an operation of the control plane may
	// take, zero for any number (arbitration A19). Nil limits none.
	Rate func(operation string) int
	// Flood bounds what failed authentications cost. Nil bounds nothing.
	Flood *flood.Guard
	// AcceptAnyRegion takes signatures scoped to any region.
	AcceptAnyRegion bool

	// Log is told of every request. Nil discards it.
	Log *slog.Logger
	// Observe is told how each request ended, all in words from fixed tables:
	// the plane ("control" or "data"), the operation, and "ok" or the type of
	// the error. Requests that DataPlane or Messages answered are theirs to
	// count. Nil is allowed.
	Observe func(plane, operation, code string, took time.Duration)
}

// Registry keeps things, their types and groups, and the index of them.
type Registry interface {
	Things
	ThingTypes
	ThingGroups
	Index
}

// Rights keeps the certificates, policies and attachments that devices act by.
type Rights interface {
	Certificates
	CAs
	Policies
	Attachments
	Authorization
	Principals
}

// Keys knows the access keys; *identity.Keys does. Its methods may be called by
// many goroutines.
type Keys interface {
	// Lookup returns an access key, or an error that wraps sigv4.ErrUnknownKey.
	Lookup(accessKeyID string) (sigv4.Credential, error)
	// Caller returns whom an access key stands for, or such an error.
	Caller(accessKeyID string) (identity.Caller, error)
}

// DataPlane serves requests of a data plane; *dataplane.HTTP and
// *iotdata.Service do.
type DataPlane interface {
	// ServeCaller answers a request whose sender is known. The body of r can be
	// read as if nobody had.
	ServeCaller(w http.ResponseWriter, r *http.Request, caller identity.Caller)
}

// Endpoints are the hosts that DescribeEndpoint names, without a scheme. They
// must not change in the life of a deployment: clients keep them (REG-70).
type Endpoints struct {
	Data string
	Jobs string // empty means Data
	// CredentialProvider empty makes the question for it a bad request.
	CredentialProvider string
}

// Server serves the control plane. It is an http.Handler for the root of a
// listener; do not put an http.ServeMux in front of it, which redirects paths
// that are signed as they are. Run it in the server that NewHTTPServer makes.
type Server struct {
	o          Options
	router     *route.Router
	verifier   sigv4.Verifier
	foreigners sigv4.Verifier // of requests for other services
	operations map[*wire.Operation]operation
}

// New returns a server on o.
func New(o Options) (*Server, error) {
	switch {
	case o.Catalog == nil || o.Events == nil || o.Jobs == nil || o.Registry == nil || o.Rights == nil || o.Tags == nil:
		return nil, fmt.Errorf("awsiot: Catalog, Events, Jobs, Registry, Rights and Tags are required")
	case o.Now == nil || o.Account == (muster.Account{}):
		return nil, fmt.Errorf("awsiot: Now and Account are required")
	case o.Keys == nil && !o.AuthNone:
		return nil, fmt.Errorf("awsiot: Keys are required, or AuthNone")
	}
	if o.AuthNone {
		o.Keys = openKeys{identity.Unrestricted("arn:aws:iam::" + o.Account.ID + ":user/anonymous")}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, string, string, time.Duration) {}
	}
	s := &Server{
		o:          o,
		router:     route.New(wire.Operations()),
		verifier:   sigv4.Verifier{Lookup: o.Keys.Lookup, Region: o.Account.Region, AcceptAnyRegion: o.AcceptAnyRegion},
		foreigners: sigv4.Verifier{Lookup: o.Keys.Lookup, AcceptAnyRegion: true, AcceptAnyService: true},
		operations: map[*wire.Operation]operation{},
	}
	for _, op := range append(table(o), transfers()...) {
		if o.Rate != nil && op.Service == wire.ControlPlane {
			op.throttle = limits.NewThrottle(float64(o.Rate(op.Name)))
		}
		s.operations[op.Operation] = op
	}
	return s, nil
}

// Implemented returns the operations that a Server with DataPlane and Messages
// serves, of all planes, ordered by service and name.
func Implemented() []*wire.Operation {
	served := map[*wire.Operation]bool{}
	for _, op := range table(Options{}) {
		served[op.Operation] = true
	}
	var all []*wire.Operation
	for _, op := range wire.Operations() {
		if served[op] {
			all = append(all, op)
		}
	}
	return all
}
