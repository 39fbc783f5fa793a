package authz

import (
	"context"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/rights"
)

// Explain answers q as the listeners would decide, except that it does not know
// what only a connection has: its address and its CONNECT packet. It fails with
// Invalid or, when Who is neither a certificate nor an access key, NotFound.
func (a *Authorizer) Explain(ctx context.Context, q iotpolicy.Question) (iotpolicy.Explanation, error) {
	if q.Who == "" || q.Action == "" || q.Resource == "" {
		return iotpolicy.Explanation{}, muster.Errorf(muster.Invalid, "who, action and resource are required")
	}
	if a.o.Keys != nil {
		if caller, err := a.o.Keys(q.Who); err == nil {
			k := keyHolder{a: a, caller: caller, clientID: q.ClientID}
			e := iotpolicy.Explanation{Principal: caller.ARN}
			a.explain(&e, q, caller.InForce(), k.vars)
			return e, nil
		}
	}
	return a.explainDevice(ctx, q)
}

func (a *Authorizer) explainDevice(ctx context.Context, q iotpolicy.Question) (iotpolicy.Explanation, error) {
	id := muster.CertificateIDOf(q.Who[strings.LastIndexByte(q.Who, '/')+1:])
	g, err := a.o.Principals.Grounds(ctx, id, q.ClientID)
	if err != nil {
		return iotpolicy.Explanation{}, err
	}
	if g.Certificate == nil {
		return iotpolicy.Explanation{}, muster.Errorf(muster.NotFound, "%s is neither a certificate nor an access key", q.Who)
	}
	e := iotpolicy.Explanation{Principal: a.o.Account.ARN("cert", string(id))}
	if ok, why := inForce(*g.Certificate, a.o.Now(), a.o.Grace); !ok {
		e.Refused = "the certificate is " + why
	}
	if g.Thing != nil {
		e.Thing = string(g.Thing.Name)
	}
	device := identity.Device{Certificate: id, ClientID: q.ClientID, Thing: g.Thing}
	if c, err := ca.Parse(g.Certificate.PEM); err == nil {
		device.Leaf = c.X509
	}
	a.explain(&e, q, a.compile(g), device.Vars)
	for i, p := range e.Policies {
		for _, of := range g.Policies {
			if of.Name == p.Name {
				e.Policies[i].Version = of.Default
			}
		}
	}
	return e, nil
}

// explain fills in what the policies of set say.
func (a *Authorizer) explain(e *iotpolicy.Explanation, q iotpolicy.Question, set iotpolicy.Set, vars iotpolicy.Vars) {
	e.Action, e.Resource = q.Action, q.Resource
	if !strings.HasPrefix(q.Resource, "arn:") && q.Resource != "*" {
		e.Resource = a.o.Account.Named(q.Resource)
	}
	t := set.Try(iotpolicy.Request{Action: e.Action, Resource: e.Resource, Vars: vars})
	e.Allowed = t.Allowed() && e.Refused == ""
	e.Decision, e.Policy, e.Statement, e.Missing = t.Outcome.String(), t.Policy, t.Statement, append([]string{}, t.Missing...)
	e.Policies = []iotpolicy.PolicyAnswer{}
	for i, d := range t.Each {
		e.Policies = append(e.Policies, iotpolicy.PolicyAnswer{Name: set[i].Name(), Decision: d.Outcome.String(), Statement: d.Statement})
	}
}

// compile compiles the policies in force. A policy that cannot be read allows
// nothing and is logged.
func (a *Authorizer) compile(g rights.Grounds) iotpolicy.Set {
	var set iotpolicy.Set
	for _, p := range g.Policies {
		compiled, err := a.policies.compile(p)
		if err != nil {
			a.o.Log.Error("a stored policy cannot be read; it allows nothing", "policy", p.Name, "error", err)
			continue
		}
		set = append(set, compiled)
	}
	return set
}
