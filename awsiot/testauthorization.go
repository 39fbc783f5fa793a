package awsiot

import (
	"context"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/rights"
)

// Authorization returns the policies that decide about a client (identity-and-auth.md
// section B.1).
type Authorization interface {
	// EffectivePolicies returns the policies in force for a target that acts as a
	// thing, or as none if thing is "".
	EffectivePolicies(ctx context.Context, t rights.PolicyTarget, thing muster.ThingName) ([]muster.Policy, error)
	// Grounds returns what a decision about a client with this certificate and
	// client id is based on.
	Grounds(ctx context.Context, id muster.CertificateID, clientID string) (rights.Grounds, error)
	Policy(ctx context.Context, name string) (muster.Policy, error)
}

// authorizationOperations are the operations that tell what a client may do
// (identity-and-auth.md section B.1).
type authorizationOperations struct {
	account       account
	authorization Authorization
}

func (o authorizationOperations) getEffectivePoliciesNeeds(in *wire.GetEffectivePoliciesRequest) needs {
	return givenARNs(in.Principal).and(o.account.named("thing", in.ThingName))
}

func (o authorizationOperations) getEffectivePolicies(ctx context.Context, in *wire.GetEffectivePoliciesRequest) (*wire.GetEffectivePoliciesResponse, error) {
	who, err := o.tested(in.Principal, in.CognitoIdentityPoolID)
	if err != nil {
		return nil, err
	}
	if in.Principal == nil && in.ThingName == nil {
		return nil, muster.Errorf(muster.Invalid, "One of principal and thingName is required")
	}
	found, err := o.authorization.EffectivePolicies(ctx, who, value[muster.ThingName](in.ThingName))
	if err != nil {
		return nil, err
	}
	return &wire.GetEffectivePoliciesResponse{
		EffectivePolicies: each(found, func(p muster.Policy) wire.EffectivePolicy {
			return wire.EffectivePolicy{
				PolicyName: &p.Name, PolicyARN: o.account.policyARN(p.Name), PolicyDocument: new(p.InForce()),
			}
		}),
	}, nil
}

func (o authorizationOperations) testAuthorizationNeeds(in *wire.TestAuthorizationRequest) needs {
	return givenARNs(in.Principal).and(o.account.allNamed("policy", in.PolicyNamesToAdd), o.account.allNamed("policy", in.PolicyNamesToSkip))
}

// testAuthorization decides as the gateway would for a connection with the client
// id. The status of the certificate does not matter.
func (o authorizationOperations) testAuthorization(ctx context.Context, in *wire.TestAuthorizationRequest) (*wire.TestAuthorizationResponse, error) {
	who, err := o.tested(in.Principal, in.CognitoIdentityPoolID)
	if err != nil {
		return nil, err
	}
	device, inForce, err := o.grounds(ctx, who, wire.Or(in.ClientID, ""))
	if err != nil {
		return nil, err
	}
	set, err := o.policySet(ctx, inForce, in.PolicyNamesToAdd, in.PolicyNamesToSkip)
	if err != nil {
		return nil, err
	}
	out := &wire.TestAuthorizationResponse{AuthResults: make([]wire.AuthResult, 0, len(in.AuthInfos))}
	for _, info := range in.AuthInfos {
		result, err := o.authResult(info, set, device.Vars)
		if err != nil {
			return nil, err
		}
		out.AuthResults = append(out.AuthResults, result)
	}
	return out, nil
}

// tested returns whose rights the call asks about: those of a certificate or of the
// things of a group; the zero target when the call names none.
func (o authorizationOperations) tested(principal, cognito *string) (rights.PolicyTarget, error) {
	if cognito != nil {
		return rights.PolicyTarget{}, muster.Errorf(muster.Invalid, "There are no Cognito identities here")
	}
	if principal == nil {
		return rights.PolicyTarget{}, nil
	}
	return o.account.policyTarget(*principal)
}

// grounds returns the device as which a principal would connect, and the policies in
// force for it.
func (o authorizationOperations) grounds(ctx context.Context, who rights.PolicyTarget, clientID string) (identity.Device, []muster.Policy, error) {
	device := identity.Device{Certificate: who.Certificate, ClientID: clientID}
	if who.Certificate == "" {
		found, err := o.authorization.EffectivePolicies(ctx, who, "")
		return device, found, err
	}
	g, err := o.authorization.Grounds(ctx, who.Certificate, clientID)
	if err != nil {
		return device, nil, err
	}
	if g.Certificate == nil {
		return device, nil, muster.Errorf(muster.NotFound, "Certificate %s does not exist", who.Certificate)
	}
	if c, err := ca.Parse(g.Certificate.PEM); err == nil {
		device.Leaf = c.X509
	}
	device.Thing = g.Thing
	return device, g.Policies, nil
}

// policySet compiles the policies in force and those in add, without those in skip.
func (o authorizationOperations) policySet(ctx context.Context, inForce []muster.Policy, add, skip []string) (iotpolicy.Set, error) {
	for _, name := range add {
		p, err := o.authorization.Policy(ctx, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(inForce, func(had muster.Policy) bool { return had.Name == name }) {
			inForce = append(inForce, p)
		}
	}
	var set iotpolicy.Set
	for _, p := range inForce {
		if slices.Contains(skip, p.Name) {
			continue
		}
		compiled, err := iotpolicy.Parse(p.Name, p.InForce())
		if err != nil {
			return nil, &muster.Error{Kind: muster.Internal, Msg: "A stored policy cannot be read", Err: err}
		}
		set = append(set, compiled)
	}
	return set, nil
}

// testedActions are the actions that a call can ask about.
var testedActions = map[string]string{
	"CONNECT": iotpolicy.Connect, "PUBLISH": iotpolicy.Publish, "RECEIVE": iotpolicy.Receive, "SUBSCRIBE": iotpolicy.Subscribe,
}

// authResult answers one question: it is allowed if every resource is allowed, and
// denied explicitly if one resource is. Each policy is listed once, by its strongest
// outcome for any of the resources.
func (o authorizationOperations) authResult(info wire.AuthInfo, set iotpolicy.Set, vars iotpolicy.Vars) (wire.AuthResult, error) {
	action := testedActions[wire.Or(info.ActionType, "")]
	if action == "" || len(info.Resources) == 0 {
		return wire.AuthResult{}, muster.Errorf(muster.Invalid, "authInfos must have an actionType and resources")
	}
	outcome, missing := iotpolicy.Allowed, []string{}
	said := make([]iotpolicy.Outcome, len(set))
	for _, resource := range info.Resources {
		t := set.Try(iotpolicy.Request{Action: action, Resource: resource, Vars: vars})
		outcome = worse(outcome, t.Outcome)
		for i, d := range t.Each {
			said[i] = stronger(said[i], d.Outcome)
		}
		missing = append(missing, t.Missing...)
	}
	lists := [...][]wire.Policy{iotpolicy.ImplicitDeny: {}, iotpolicy.ExplicitDeny: {}, iotpolicy.Allowed: {}}
	for i, p := range set {
		lists[said[i]] = append(lists[said[i]], o.account.policy(p.Name()))
	}
	slices.Sort(missing)
	return wire.AuthResult{
		AuthInfo: &info,
		Allowed:  &wire.Allowed{Policies: lists[iotpolicy.Allowed]},
		Denied: &wire.Denied{
			ImplicitDeny: &wire.ImplicitDeny{Policies: lists[iotpolicy.ImplicitDeny]},
			ExplicitDeny: &wire.ExplicitDeny{Policies: lists[iotpolicy.ExplicitDeny]},
		},
		AuthDecision:         new(outcome.String()),
		MissingContextValues: slices.Compact(missing),
	}, nil
}

// worse returns the outcome that counts for several resources together:
// ExplicitDeny before ImplicitDeny before Allowed.
func worse(a, b iotpolicy.Outcome) iotpolicy.Outcome {
	switch {
	case a == iotpolicy.ExplicitDeny || b == iotpolicy.ExplicitDeny:
		return iotpolicy.ExplicitDeny
	case a == iotpolicy.ImplicitDeny || b == iotpolicy.ImplicitDeny:
		return iotpolicy.ImplicitDeny
	}
	return iotpolicy.Allowed
}

// stronger returns the outcome that counts for one policy: ExplicitDeny before
// Allowed before ImplicitDeny, which is the outcome of a policy that does not match.
func stronger(a, b iotpolicy.Outcome) iotpolicy.Outcome {
	if a == iotpolicy.ImplicitDeny || b == iotpolicy.ExplicitDeny {
		return b
	}
	return a
}
