package awsiot

import (
	"context"
	"errors"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

// Attachments keeps what policies are attached to (identity-and-auth.md section B.1).
// A policy can be attached again, which changes nothing.
type Attachments interface {
	AttachPolicy(ctx context.Context, name string, t rights.PolicyTarget) error
	// AttachedPolicies lists the policies of a target and, if recursive, those of the
	// groups above it. The newest policy is the first unless ascending.
	AttachedPolicies(ctx context.Context, t rights.PolicyTarget, recursive bool, p listing.Page, ascending bool) (rights.PolicyList, error)
	DetachPolicy(ctx context.Context, name string, t rights.PolicyTarget) error
	Policy(ctx context.Context, name string) (muster.Policy, error)
	// TargetsOfPolicy lists the ARNs that a policy is attached to, or only those
	// of certificates.
	TargetsOfPolicy(ctx context.Context, name string, certificates bool, p listing.Page) (rights.TargetList, error)
}

// attachmentOperations are the operations on what policies are attached to
// (identity-and-auth.md section B.1).
type attachmentOperations struct {
	account     account
	attachments Attachments
}

func (attachmentOperations) attachPolicyNeeds(in *wire.AttachPolicyRequest) needs {
	return arns(*in.Target)
}

func (o attachmentOperations) attachPolicy(ctx context.Context, in *wire.AttachPolicyRequest) error {
	return o.attach(ctx, *in.PolicyName, *in.Target)
}

func (o attachmentOperations) attach(ctx context.Context, policy, target string) error {
	t, err := o.account.policyTarget(target)
	if err != nil {
		return err
	}
	return o.attachments.AttachPolicy(ctx, policy, t)
}

func (attachmentOperations) detachPolicyNeeds(in *wire.DetachPolicyRequest) needs {
	return arns(*in.Target)
}

// detachPolicy answers a bad request where others answer NotFound: the model has
// no such error for it. A policy that does not exist is then not attached.
func (o attachmentOperations) detachPolicy(ctx context.Context, in *wire.DetachPolicyRequest) error {
	err := o.detach(ctx, *in.PolicyName, *in.Target)
	if e, ok := errors.AsType[*muster.Error](err); ok && e.Kind == muster.NotFound {
		return muster.Errorf(muster.Invalid, "%s", e.Msg)
	}
	return err
}

func (o attachmentOperations) detach(ctx context.Context, policy, target string) error {
	t, err := o.account.policyTarget(target)
	if err != nil {
		return err
	}
	return o.attachments.DetachPolicy(ctx, policy, t)
}

func (attachmentOperations) listAttachedPoliciesNeeds(in *wire.ListAttachedPoliciesRequest) needs {
	return arns(*in.Target)
}

func (o attachmentOperations) listAttachedPolicies(ctx context.Context, in *wire.ListAttachedPoliciesRequest) (*wire.ListAttachedPoliciesResponse, error) {
	t, err := o.account.policyTarget(*in.Target)
	if err != nil {
		return nil, err
	}
	list, err := o.attachments.AttachedPolicies(ctx, t, wire.Or(in.Recursive, false), page(in.PageSize, in.Marker), false)
	if err != nil {
		return nil, err
	}
	return &wire.ListAttachedPoliciesResponse{Policies: o.account.policies(list.Policies), NextMarker: text(list.Next)}, nil
}

func (o attachmentOperations) listTargetsForPolicy(ctx context.Context, in *wire.ListTargetsForPolicyRequest) (*wire.ListTargetsForPolicyResponse, error) {
	list, err := o.attachments.TargetsOfPolicy(ctx, *in.PolicyName, false, page(in.PageSize, in.Marker))
	if err != nil {
		return nil, err
	}
	return &wire.ListTargetsForPolicyResponse{Targets: present(list.ARNs), NextMarker: text(list.Next)}, nil
}

// The older operations name a certificate in a header and do not work on groups.

func (attachmentOperations) attachPrincipalPolicyNeeds(in *wire.AttachPrincipalPolicyRequest) needs {
	return arns(*in.Principal)
}

func (o attachmentOperations) attachPrincipalPolicy(ctx context.Context, in *wire.AttachPrincipalPolicyRequest) error {
	if _, err := o.account.certificateOf(*in.Principal); err != nil {
		return err
	}
	return o.attach(ctx, *in.PolicyName, *in.Principal)
}

func (attachmentOperations) detachPrincipalPolicyNeeds(in *wire.DetachPrincipalPolicyRequest) needs {
	return arns(*in.Principal)
}

func (o attachmentOperations) detachPrincipalPolicy(ctx context.Context, in *wire.DetachPrincipalPolicyRequest) error {
	if _, err := o.account.certificateOf(*in.Principal); err != nil {
		return err
	}
	if _, err := o.attachments.Policy(ctx, *in.PolicyName); err != nil {
		return err
	}
	return o.detach(ctx, *in.PolicyName, *in.Principal)
}

func (attachmentOperations) listPrincipalPoliciesNeeds(in *wire.ListPrincipalPoliciesRequest) needs {
	return arns(*in.Principal)
}

func (o attachmentOperations) listPrincipalPolicies(ctx context.Context, in *wire.ListPrincipalPoliciesRequest) (*wire.ListPrincipalPoliciesResponse, error) {
	id, err := o.account.certificateOf(*in.Principal)
	if err != nil {
		return nil, err
	}
	list, err := o.attachments.AttachedPolicies(ctx, rights.PolicyTarget{Certificate: id}, false, page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListPrincipalPoliciesResponse{Policies: o.account.policies(list.Policies), NextMarker: text(list.Next)}, nil
}

func (o attachmentOperations) listPolicyPrincipalsNeeds(in *wire.ListPolicyPrincipalsRequest) needs {
	return o.account.named("policy", in.PolicyName)
}

// listPolicyPrincipals sorts by ARN, whatever order the call asks for, because
// attachments have no date. Unlike the newer operations, it answers an empty list
// for a policy that does not exist.
func (o attachmentOperations) listPolicyPrincipals(ctx context.Context, in *wire.ListPolicyPrincipalsRequest) (*wire.ListPolicyPrincipalsResponse, error) {
	list, err := o.attachments.TargetsOfPolicy(ctx, *in.PolicyName, true, page(in.PageSize, in.Marker))
	if muster.IsKind(err, muster.NotFound) {
		return &wire.ListPolicyPrincipalsResponse{Principals: []string{}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &wire.ListPolicyPrincipalsResponse{Principals: present(list.ARNs), NextMarker: text(list.Next)}, nil
}

// policyTarget reads the ARN of what a policy can be attached to: a certificate or
// a static thing group.
func (a account) policyTarget(arn string) (rights.PolicyTarget, error) {
	kind, name, err := a.ParseARN(arn)
	switch {
	case err != nil:
		return rights.PolicyTarget{}, err
	case kind == "cert":
		return rights.PolicyTarget{Certificate: muster.CertificateIDOf(name)}, nil
	case kind == "thinggroup":
		return rights.PolicyTarget{Group: muster.GroupName(name)}, nil
	}
	return rights.PolicyTarget{}, muster.Errorf(muster.Invalid, "%s is neither a certificate nor a thing group", arn)
}

// spelled returns an ARN in the registry's spelling: clients may write the id of a
// certificate in upper case or with 0x in front (AUTH-20).
func spelled(arn string) string {
	account, id, ok := strings.Cut(arn, ":cert/")
	if !ok {
		return arn
	}
	return account + ":cert/" + string(muster.CertificateIDOf(id))
}

// present returns a list that the wire shows even when it is empty (REG-4).
func present(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
