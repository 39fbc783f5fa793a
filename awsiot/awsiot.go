// Package awsiot is the HTTPS edge: it turns a signed request into one call of a
// small interface, such as Jobs or Things, and the outcome into the bytes that a
// stock AWS client expects (jobs-control-plane.md section 1, registry.md section
// 1). It serves the control plane itself and hands over what belongs to a data
// plane.
//
// It holds no rule and no state. It asks for what depends on stored data
// through its interfaces; what depends on the API model alone is in awsiot/wire.
//
// Each operation is a row of one table, in operations.go. A file holds the
// operations on one noun, the interface that they need, and the permissions that
// they take.
package awsiot

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/audit"
	"github.com/muster-iot/muster/awsiot/route"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/flood"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/limits"
	"github.com/muster-iot/muster/reserve"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/turns"
)

// Options are the parts of a Server. Catalog, Events, Jobs, Registry, Rights, Tags,
// Account and Now are required, and Keys unless AuthNone is set.
type Options struct {
	// These do the work of the operations; service.Service has one of each.
	// A method does what the specification says of the operation that it is named
	// after, for an input that satisfies the constraints of the API model. A
	// namespace that is not nil must be the job's. The zero listing.Page is the first
	// page of the default size. A *muster.Error is shown to the caller, the error of
	// an ended context as Unavailable, and any other as an internal failure. Methods
	// are called by many goroutines at once; the caller owns what they return.
	Catalog  Catalog
	Events   Events
	Jobs     Jobs
	Registry Registry
	Rights   Rights
	Tags     Tags

	Account muster.Account
	Now     func() time.Time // for signatures and the log
	Keys    Keys
	// DataPlane serves the operations of the jobs data plane. If it is nil, they
	// are answered as not implemented.
	DataPlane DataPlane
	// Messages serves the operations on messages and connections. If it is nil,
	// they are answered as not implemented.
	Messages  DataPlane
	Endpoints Endpoints
	// Documents reads what a documentSource names. If it is nil, calls with a
	// documentSource are refused.
	Documents Documents
	// Room is asked before each operation of the control plane that writes. Nil
	// means that there always is room.
	Room reserve.Room
	// Issuer makes certificates for devices. If it is nil, the operations that
	// issue one fail.
	Issuer *ca.Authority

	// AuthNone lets everybody do everything (arbitration A20). Set it only when
	// all listeners are on the loopback interface; requests that a browser sent
	// for another site, or that were meant for another host, are still refused.
	AuthNone bool
	// Rate returns how many requests a second an operation of the control plane
	// takes, zero for any number (arbitration A19). Nil limits no operation.
	Rate func(operation string) int
	// Flood bounds what failed authentications cost. Nil bounds nothing.
	Flood *flood.Guard
	// AcceptAnyRegion takes signatures scoped to any region.
	AcceptAnyRegion bool

	// Audit records what the operations of the control plane change, and who was refused. Nil records nothing.
	Audit *audit.Log
	// Turns are told of each operation of the control plane. Nil is allowed.
	Turns *turns.Turns
	// Log gets one event for each request. Nil discards them.
	Log *slog.Logger
	// Observe is called at the end of each request, with words from fixed tables:
	// the plane ("control" or "data"), the operation, and "ok" or the type of the
	// error. It is not called for requests that DataPlane or Messages answered:
	// they count those themselves. Nil is allowed.
	Observe func(plane, operation, code string, took time.Duration)
}

// Registry keeps things, their types and groups, and the index of them.
type Registry interface {
	Things
	ThingTypes
	ThingGroups
	Index
}

// Rights keeps certificates, policies and what connects them: all that decides what
// a device may do.
type Rights interface {
	Certificates
	CAs
	Policies
	Attachments
	Authorization
	Principals
}

// Keys holds the access keys; *identity.Keys implements it. Its methods are called
// by many goroutines at once.
type Keys interface {
	// Lookup returns an access key, or an error that wraps sigv4.ErrUnknownKey.
	Lookup(accessKeyID string) (sigv4.Credential, error)
	// Caller returns whose access key it is, or the same error.
	Caller(accessKeyID string) (identity.Caller, error)
}

// DataPlane serves requests of a data plane; *dataplane.HTTP and *iotdata.Service
// implement it.
type DataPlane interface {
	// ServeCaller answers a request whose sender is known. The body of r has not
	// been read, or can be read again.
	ServeCaller(w http.ResponseWriter, r *http.Request, caller identity.Caller)
}

// Endpoints are the hosts that DescribeEndpoint answers with, without a scheme. They
// must not change during the life of a deployment, because clients store them
// (REG-70).
type Endpoints struct {
	Data string
	Jobs string // empty means Data
	// CredentialProvider may be empty; asking for it is then a bad request.
	CredentialProvider string
}

// Server serves the control plane. It is an http.Handler for the root of a
// listener. Do not put an http.ServeMux in front of it: that redirects paths, and a
// signature holds for the path as it is. Run it in the server that NewHTTPServer
// makes.
type Server struct {
	o          Options
	router     *route.Router
	verifier   sigv4.Verifier
	foreigners sigv4.Verifier // for requests to other services
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

// Divide bounds the requests of this process to its part, if there are several equal ones.
func (s *Server) Divide(processes int) {
	for _, op := range s.operations {
		op.throttle.Divide(processes)
	}
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
