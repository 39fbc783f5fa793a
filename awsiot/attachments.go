package awsiot

import (
	"context"
	"errors"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/engine"
)

func (n *needs) attachPolicy(in *wire.AttachPolicyRequest) { n.arns(*in.Target) }

func (s *Server) attachPolicy(ctx context.Context, in *wire.AttachPolicyRequest) error {
	return s.attach(ctx, *in.PolicyName, *in.Target)
}

func (s *Server) attach(ctx context.Context, policy, target string) error {
	t, err := s.policyTarget(target)
	if err != nil {
		return err
	}
	return s.o.Engine.AttachPolicy(ctx, policy, t)
}

func (n *needs) detachPolicy(in *wire.DetachPolicyRequest) { n.arns(*in.Target) }

// detachPolicy has no word for what does not exist: a target is then a bad
// request, and a policy is not attached.
func (s *Server) detachPolicy(ctx context.Context, in *wire.DetachPolicyRequest) error {
	err := s.detach(ctx, *in.PolicyName, *in.Target)
	if e, ok := errors.AsType[*muster.Error](err); ok && e.Kind == muster.NotFound {
		return muster.Errorf(muster.Invalid, "%s", e.Msg)
	}
	return err
}

func (s *Server) detach(ctx context.Context, policy, target string) error {
	t, err := s.policyTarget(target)
	if err != nil {
		return err
	}
	return s.o.Engine.DetachPolicy(ctx, policy, t)
}

func (n *needs) listAttachedPolicies(in *wire.ListAttachedPoliciesRequest) { n.arns(*in.Target) }

func (s *Server) listAttachedPolicies(ctx context.Context, in *wire.ListAttachedPoliciesRequest) (*wire.ListAttachedPoliciesResponse, error) {
	t, err := s.policyTarget(*in.Target)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Engine.AttachedPolicies(ctx, t, wire.Or(in.Recursive, false), page(in.PageSize, in.Marker), false)
	if err != nil {
		return nil, err
	}
	return &wire.ListAttachedPoliciesResponse{Policies: s.policies(list.Policies), NextMarker: text(list.Next)}, nil
}

func (s *Server) listTargetsForPolicy(ctx context.Context, in *wire.ListTargetsForPolicyRequest) (*wire.ListTargetsForPolicyResponse, error) {
	list, err := s.o.Engine.TargetsOfPolicy(ctx, *in.PolicyName, false, page(in.PageSize, in.Marker))
	if err != nil {
		return nil, err
	}
	return &wire.ListTargetsForPolicyResponse{Targets: present(list.ARNs), NextMarker: text(list.Next)}, nil
}

// The older operations name a certificate in a header and know no groups.

func (n *needs) attachPrincipalPolicy(in *wire.AttachPrincipalPolicyRequest) { n.arns(*in.Principal) }

func (s *Server) attachPrincipalPolicy(ctx context.Context, in *wire.AttachPrincipalPolicyRequest) error {
	if _, err := s.principal(*in.Principal); err != nil {
		return err
	}
	return s.attach(ctx, *in.PolicyName, *in.Principal)
}

func (n *needs) detachPrincipalPolicy(in *wire.DetachPrincipalPolicyRequest) { n.arns(*in.Principal) }

func (s *Server) detachPrincipalPolicy(ctx context.Context, in *wire.DetachPrincipalPolicyRequest) error {
	if _, err := s.principal(*in.Principal); err != nil {
		return err
	}
	if _, err := s.o.Engine.Policy(ctx, *in.PolicyName); err != nil {
		return err
	}
	return s.detach(ctx, *in.PolicyName, *in.Principal)
}

func (n *needs) listPrincipalPolicies(in *wire.ListPrincipalPoliciesRequest) { n.arns(*in.Principal) }

func (s *Server) listPrincipalPolicies(ctx context.Context, in *wire.ListPrincipalPoliciesRequest) (*wire.ListPrincipalPoliciesResponse, error) {
	id, err := s.principal(*in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Engine.AttachedPolicies(ctx, engine.PolicyTarget{Certificate: id}, false, page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListPrincipalPoliciesResponse{Policies: s.policies(list.Policies), NextMarker: text(list.Next)}, nil
}

func (n *needs) listPolicyPrincipals(in *wire.ListPolicyPrincipalsRequest) {
	n.arns(n.account.ARN("policy", *in.PolicyName))
}

// listPolicyPrincipals lists by ARN, whatever order is asked for: attachments
// have no date. Unlike the operations that came after it, it does not tell a policy
// that is not there from one that is attached to nothing.
func (s *Server) listPolicyPrincipals(ctx context.Context, in *wire.ListPolicyPrincipalsRequest) (*wire.ListPolicyPrincipalsResponse, error) {
	list, err := s.o.Engine.TargetsOfPolicy(ctx, *in.PolicyName, true, page(in.PageSize, in.Marker))
	if e, ok := errors.AsType[*muster.Error](err); ok && e.Kind == muster.NotFound {
		return &wire.ListPolicyPrincipalsResponse{Principals: []string{}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &wire.ListPolicyPrincipalsResponse{Principals: present(list.ARNs), NextMarker: text(list.Next)}, nil
}

// policyTarget reads what a policy can be attached to: the ARN of a certificate
// or of a static thing group.
func (s *Server) policyTarget(arn string) (engine.PolicyTarget, error) {
	kind, name, err := s.o.Account.ParseARN(arn)
	switch {
	case err != nil:
		return engine.PolicyTarget{}, err
	case kind == "cert":
		return engine.PolicyTarget{Certificate: muster.CertificateIDOf(name)}, nil
	case kind == "thinggroup":
		return engine.PolicyTarget{Group: muster.GroupName(name)}, nil
	}
	return engine.PolicyTarget{}, muster.Errorf(muster.Invalid, "%s is neither a certificate nor a thing group", arn)
}

// spelled returns an ARN as the registry spells it: the id of a certificate may
// come in upper case or with 0x (AUTH-20).
func spelled(arn string) string {
	account, id, ok := strings.Cut(arn, ":cert/")
	if !ok {
		return arn
	}
	return account + ":cert/" + string(muster.CertificateIDOf(id))
}

// present returns a list that is there even when empty (REG-4).
func present(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
