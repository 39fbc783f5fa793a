package authz

import (
	"context"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/iotpolicy"
)

// Question asks whether a principal may do something. It is sent as JSON.
type Question struct {
	Who      string `json:"who"`                // a certificate's id or ARN, or an access key id
	ClientID string `json:"clientId,omitempty"` // of the MQTT connection; empty means HTTPS
	Action   string `json:"action"`             // such as iot:Publish
	Resource string `json:"resource"`           // an ARN, or the end of one such as topic/a/b
}

// Explanation is the answer to a Question: what would be decided now, and what
// the decision rests on.
type Explanation struct {
	Principal string         `json:"principal"`        // its ARN
	Action    string         `json:"action"`           // as asked
	Resource  string         `json:"resource"`         // the whole ARN
	Allowed   bool           `json:"allowed"`          // whether it may be done
	Decision  string         `json:"decision"`         // ALLOWED, EXPLICIT_DENY or IMPLICIT_DENY, by the policies alone
	Policy    string         `json:"policy,omitempty"` // the one that decided
	Statement string         `json:"statement,omitempty"`
	Refused   string         `json:"refused,omitempty"` // why the policies do not matter, such as an INACTIVE certificate
	Thing     string         `json:"thing,omitempty"`   // that the connection would act as (AUTH-41)
	Missing   []string       `json:"missing"`           // variables in statements that have no value
	Policies  []PolicyAnswer `json:"policies"`          // in force, by name
}

// PolicyAnswer is what one of the policies in force says by itself.
type PolicyAnswer struct {
	Name      string `json:"name"`
	Version   string `json:"version,omitempty"` // in force; access keys have no versions
	Decision  string `json:"decision"`
	Statement string `json:"statement,omitempty"`
}

// Explain answers q as the listeners would decide, except that it does not know
// what only a connection has: its address and its CONNECT packet. It fails with
// Invalid or, when Who is neither a certificate nor an access key, NotFound.
func (a *Authorizer) Explain(ctx context.Context, q Question) (Explanation, error) {
	if q.Who == "" || q.Action == "" || q.Resource == "" {
		return Explanation{}, muster.Errorf(muster.Invalid, "who, action and resource are required")
	}
	if a.o.Keys != nil {
		if caller, err := a.o.Keys(q.Who); err == nil {
			k := keyHolder{a: a, caller: caller, clientID: q.ClientID}
			e := Explanation{Principal: caller.ARN}
			a.explain(&e, q, caller.InForce(), k.vars)
			return e, nil
		}
	}
	return a.explainDevice(ctx, q)
}

func (a *Authorizer) explainDevice(ctx context.Context, q Question) (Explanation, error) {
	id := muster.CertificateIDOf(q.Who[strings.LastIndexByte(q.Who, '/')+1:])
	g, err := a.o.Principals.Grounds(ctx, id, q.ClientID)
	if err != nil {
		return Explanation{}, err
	}
	if g.Certificate == nil {
		return Explanation{}, muster.Errorf(muster.NotFound, "%s is neither a certificate nor an access key", q.Who)
	}
	e := Explanation{Principal: a.o.Account.ARN("cert", string(id))}
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
func (a *Authorizer) explain(e *Explanation, q Question, set iotpolicy.Set, vars iotpolicy.Vars) {
	e.Action, e.Resource = q.Action, q.Resource
	if !strings.HasPrefix(q.Resource, "arn:") && q.Resource != "*" {
		e.Resource = a.o.Account.Named(q.Resource)
	}
	t := set.Try(iotpolicy.Request{Action: e.Action, Resource: e.Resource, Vars: vars})
	e.Allowed = t.Allowed() && e.Refused == ""
	e.Decision, e.Policy, e.Statement, e.Missing = t.Outcome.String(), t.Policy, t.Statement, append([]string{}, t.Missing...)
	e.Policies = []PolicyAnswer{}
	for i, d := range t.Each {
		e.Policies = append(e.Policies, PolicyAnswer{Name: set[i].Name(), Decision: d.Outcome.String(), Statement: d.Statement})
	}
}

// compile compiles the policies in force. A policy that cannot be read allows
// nothing and is logged.
func (a *Authorizer) compile(g engine.Grounds) iotpolicy.Set {
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
