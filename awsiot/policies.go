package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

// Policies keeps policies and their versions (identity-and-auth.md section B.1). It
// does not parse documents.
type Policies interface {
	CreatePolicy(ctx context.Context, name, document string, tags []muster.Tag) (muster.Policy, error)
	CreatePolicyVersion(ctx context.Context, name, document string, asDefault bool) (muster.PolicyVersion, error)
	DeletePolicy(ctx context.Context, name string) error
	DeletePolicyVersion(ctx context.Context, name, version string) error
	// Policies lists the newest policy first unless ascending.
	Policies(ctx context.Context, p listing.Page, ascending bool) (rights.PolicyList, error)
	Policy(ctx context.Context, name string) (muster.Policy, error)
	SetDefaultPolicyVersion(ctx context.Context, name, version string) error
}

// policyOperations are the operations on policies and their versions
// (identity-and-auth.md section B.1).
type policyOperations struct {
	account  account
	policies Policies
}

// checkPolicy returns a MalformedPolicy error unless document is a policy
// (AUTH-51, AUTH-55).
func checkPolicy(name, document string) error {
	if _, err := iotpolicy.Parse(name, document); err != nil {
		return &muster.Error{Kind: muster.MalformedPolicy, Msg: "The policy is malformed: " + err.Error()}
	}
	return nil
}

func (o policyOperations) createPolicyNeeds(in *wire.CreatePolicyRequest) needs {
	return tagged(in.Tags, o.account.ARN("policy", *in.PolicyName))
}

func (o policyOperations) createPolicy(ctx context.Context, in *wire.CreatePolicyRequest) (*wire.CreatePolicyResponse, error) {
	if err := checkPolicy(*in.PolicyName, *in.PolicyDocument); err != nil {
		return nil, err
	}
	p, err := o.policies.CreatePolicy(ctx, *in.PolicyName, *in.PolicyDocument, tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreatePolicyResponse{
		PolicyName: &p.Name, PolicyARN: o.account.policyARN(p.Name), PolicyDocument: in.PolicyDocument, PolicyVersionID: &p.Default,
	}, nil
}

func (o policyOperations) getPolicy(ctx context.Context, in *wire.GetPolicyRequest) (*wire.GetPolicyResponse, error) {
	p, err := o.policies.Policy(ctx, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &wire.GetPolicyResponse{
		PolicyName: &p.Name, PolicyARN: o.account.policyARN(p.Name), PolicyDocument: new(p.InForce()), DefaultVersionID: &p.Default,
		CreationDate: instant(p.CreatedAt), LastModifiedDate: instant(p.UpdatedAt), GenerationID: &p.GenerationID,
	}, nil
}

func (o policyOperations) deletePolicy(ctx context.Context, in *wire.DeletePolicyRequest) error {
	return o.policies.DeletePolicy(ctx, *in.PolicyName)
}

func (o policyOperations) listPolicies(ctx context.Context, in *wire.ListPoliciesRequest) (*wire.ListPoliciesResponse, error) {
	list, err := o.policies.Policies(ctx, page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListPoliciesResponse{Policies: o.account.policies(list.Policies), NextMarker: text(list.Next)}, nil
}

func (o policyOperations) createPolicyVersion(ctx context.Context, in *wire.CreatePolicyVersionRequest) (*wire.CreatePolicyVersionResponse, error) {
	if err := checkPolicy(*in.PolicyName, *in.PolicyDocument); err != nil {
		return nil, err
	}
	inForce := wire.Or(in.SetAsDefault, false)
	v, err := o.policies.CreatePolicyVersion(ctx, *in.PolicyName, *in.PolicyDocument, inForce)
	if err != nil {
		return nil, err
	}
	return &wire.CreatePolicyVersionResponse{
		PolicyARN: o.account.policyARN(*in.PolicyName), PolicyDocument: in.PolicyDocument, PolicyVersionID: &v.ID, IsDefaultVersion: &inForce,
	}, nil
}

func (o policyOperations) getPolicyVersion(ctx context.Context, in *wire.GetPolicyVersionRequest) (*wire.GetPolicyVersionResponse, error) {
	p, err := o.policies.Policy(ctx, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	v, err := p.Version(*in.PolicyVersionID)
	if err != nil {
		return nil, err
	}
	return &wire.GetPolicyVersionResponse{
		PolicyName: &p.Name, PolicyARN: o.account.policyARN(p.Name), PolicyDocument: &v.Document, PolicyVersionID: &v.ID,
		IsDefaultVersion: new(v.ID == p.Default),
		CreationDate:     instant(v.CreatedAt), LastModifiedDate: instant(v.CreatedAt), GenerationID: &p.GenerationID,
	}, nil
}

// listPolicyVersions lists the newest version first.
func (o policyOperations) listPolicyVersions(ctx context.Context, in *wire.ListPolicyVersionsRequest) (*wire.ListPolicyVersionsResponse, error) {
	p, err := o.policies.Policy(ctx, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	out := &wire.ListPolicyVersionsResponse{PolicyVersions: make([]wire.PolicyVersion, len(p.Versions))}
	for i, v := range p.Versions {
		out.PolicyVersions[len(p.Versions)-1-i] = wire.PolicyVersion{
			VersionID: &v.ID, IsDefaultVersion: new(v.ID == p.Default), CreateDate: instant(v.CreatedAt),
		}
	}
	return out, nil
}

func (o policyOperations) deletePolicyVersion(ctx context.Context, in *wire.DeletePolicyVersionRequest) error {
	return o.policies.DeletePolicyVersion(ctx, *in.PolicyName, *in.PolicyVersionID)
}

func (o policyOperations) setDefaultPolicyVersion(ctx context.Context, in *wire.SetDefaultPolicyVersionRequest) error {
	return o.policies.SetDefaultPolicyVersion(ctx, *in.PolicyName, *in.PolicyVersionID)
}

func (a account) policies(all []muster.Policy) []wire.Policy {
	return each(all, func(p muster.Policy) wire.Policy { return a.policy(p.Name) })
}

func (a account) policy(name string) wire.Policy {
	return wire.Policy{PolicyName: &name, PolicyARN: a.policyARN(name)}
}

func (a account) policyARN(name string) *string { return new(a.ARN("policy", name)) }
