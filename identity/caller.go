// Package identity holds who may call: the access keys with their policies, and
// the deployment's own certificate authority, all in files of the data folder. It
// does not know what a call means. Device certificates are kept in the registry,
// not here.
package identity

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/muster-iot/muster/iotpolicy"
)

// Caller is a verified identity and what it may do. One that Keys returned follows
// its access key: Authorize decides by the policies that the key has at that
// moment, and by none once the key is removed.
type Caller struct {
	// ARN names the caller, such as arn:aws:iam::123456789012:user/admin.
	ARN string
	// Policies decide for a caller without an access key. Without any,
	// everything is denied.
	Policies iotpolicy.Set

	rights *keyRights // nil for a caller without an access key
}

// Name returns the name of the user or role that the caller is, which stands at the end of its ARN.
func (c Caller) Name() string {
	_, name, _ := strings.Cut(c.ARN, "/")
	return name
}

// Authorize returns nil when the caller may perform action on every one of
// resources, which are full ARNs; none means "*". vars are the condition keys of
// the call and may be nil. Otherwise the error is a *DeniedError for the first
// resource that is denied (identity-and-auth.md part D).
func (c Caller) Authorize(action string, resources []string, vars iotpolicy.Vars) error {
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	set := c.InForce()
	for _, resource := range resources {
		d := set.Decide(iotpolicy.Request{Action: action, Resource: resource, Vars: vars})
		if !d.Allowed() {
			return &DeniedError{Caller: c.ARN, Action: action, Resource: resource, Decision: d}
		}
	}
	return nil
}

// InForce returns the policies that decide for the caller now; none when its
// access key is removed.
func (c Caller) InForce() iotpolicy.Set {
	if c.rights == nil {
		return c.Policies
	}
	return *c.rights.policies.Load()
}

// Life ends when the caller's access key is removed, is replaced or expires. It
// is for what continues after a request was authorised: a connection, a long poll.
func (c Caller) Life() context.Context {
	if c.rights == nil {
		return context.Background()
	}
	return c.rights.life
}

// AuthorizeSpan is Authorize for every resource that resource matches, in which
// each * stands for any number of characters: the caller must be allowed all of
// them, and none may be denied.
func (c Caller) AuthorizeSpan(action, resource string, vars iotpolicy.Vars) error {
	d := c.InForce().Decide(iotpolicy.Request{Action: action, Resource: resource, Vars: vars, Span: true})
	if !d.Allowed() {
		return &DeniedError{Caller: c.ARN, Action: action, Resource: resource, Decision: d}
	}
	return nil
}

// From returns the condition keys of a request from addr, a host and a port: the
// source address.
func From(addr string) iotpolicy.Vars {
	return func(key string) ([]string, bool) {
		if key != iotpolicy.SourceIP {
			return nil, false
		}
		host, _, err := net.SplitHostPort(addr)
		return []string{host}, err == nil
	}
}

// DeniedError says that a caller may not do something. Its text is what the control
// plane answers; the Decision is for the log.
type DeniedError struct {
	Caller   string // the caller's ARN
	Action   string
	Resource string // the first resource denied
	Decision iotpolicy.Decision
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", e.Caller, e.Action, e.Resource)
}
