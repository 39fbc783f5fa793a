package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/iotpolicy"
)

// checkPolicy returns a MalformedPolicy error unless document is a policy
// (AUTH-51, AUTH-55).
func checkPolicy(name, document string) error {
	if _, err := iotpolicy.Parse(name, document); err != nil {
		return &muster.Error{Kind: muster.MalformedPolicy, Msg: "The policy is malformed: " + err.Error()}
	}
	return nil
}

func (n *needs) createPolicy(in *wire.CreatePolicyRequest) {
	n.tagged(in.Tags, n.account.ARN("policy", *in.PolicyName))
}

func (s *Server) createPolicy(ctx context.Context, in *wire.CreatePolicyRequest) (*wire.CreatePolicyResponse, error) {
	if err := checkPolicy(*in.PolicyName, *in.PolicyDocument); err != nil {
		return nil, err
	}
	p, err := s.o.Engine.CreatePolicy(ctx, *in.PolicyName, *in.PolicyDocument, tagsOf(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreatePolicyResponse{
		PolicyName: &p.Name, PolicyARN: s.policyARN(p.Name), PolicyDocument: in.PolicyDocument, PolicyVersionID: &p.Default,
	}, nil
}

func (s *Server) getPolicy(ctx context.Context, in *wire.GetPolicyRequest) (*wire.GetPolicyResponse, error) {
	p, err := s.o.Engine.Policy(ctx, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &wire.GetPolicyResponse{
		PolicyName: &p.Name, PolicyARN: s.policyARN(p.Name), PolicyDocument: new(p.InForce()), DefaultVersionID: &p.Default,
		CreationDate: instant(p.CreatedAt), LastModifiedDate: instant(p.UpdatedAt), GenerationID: &p.GenerationID,
	}, nil
}

func (s *Server) deletePolicy(ctx context.Context, in *wire.DeletePolicyRequest) error {
	return s.o.Engine.DeletePolicy(ctx, *in.PolicyName)
}

func (s *Server) listPolicies(ctx context.Context, in *wire.ListPoliciesRequest) (*wire.ListPoliciesResponse, error) {
	list, err := s.o.Engine.Policies(ctx, page(in.PageSize, in.Marker), wire.Or(in.AscendingOrder, false))
	if err != nil {
		return nil, err
	}
	return &wire.ListPoliciesResponse{Policies: s.policies(list.Policies), NextMarker: text(list.Next)}, nil
}

func (s *Server) createPolicyVersion(ctx context.Context, in *wire.CreatePolicyVersionRequest) (*wire.CreatePolicyVersionResponse, error) {
	if err := checkPolicy(*in.PolicyName, *in.PolicyDocument); err != nil {
		return nil, err
	}
	inForce := wire.Or(in.SetAsDefault, false)
	v, err := s.o.Engine.CreatePolicyVersion(ctx, *in.PolicyName, *in.PolicyDocument, inForce)
	if err != nil {
		return nil, err
	}
	return &wire.CreatePolicyVersionResponse{
		PolicyARN: s.policyARN(*in.PolicyName), PolicyDocument: in.PolicyDocument, PolicyVersionID: &v.ID, IsDefaultVersion: &inForce,
	}, nil
}

func (s *Server) getPolicyVersion(ctx context.Context, in *wire.GetPolicyVersionRequest) (*wire.GetPolicyVersionResponse, error) {
	p, err := s.o.Engine.Policy(ctx, *in.PolicyName)
	if err != nil {
		return nil, err
	}
	v, err := p.Version(*in.PolicyVersionID)
	if err != nil {
		return nil, err
	}
	return &wire.GetPolicyVersionResponse{
		PolicyName: &p.Name, PolicyARN: s.policyARN(p.Name), PolicyDocument: &v.Document, PolicyVersionID: &v.ID,
		IsDefaultVersion: new(v.ID == p.Default),
		CreationDate:     instant(v.CreatedAt), LastModifiedDate: instant(v.CreatedAt), GenerationID: &p.GenerationID,
	}, nil
}

// listPolicyVersions lists the newest version first.
func (s *Server) listPolicyVersions(ctx context.Context, in *wire.ListPolicyVersionsRequest) (*wire.ListPolicyVersionsResponse, error) {
	p, err := s.o.Engine.Policy(ctx, *in.PolicyName)
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

func (s *Server) deletePolicyVersion(ctx context.Context, in *wire.DeletePolicyVersionRequest) error {
	return s.o.Engine.DeletePolicyVersion(ctx, *in.PolicyName, *in.PolicyVersionID)
}

func (s *Server) setDefaultPolicyVersion(ctx context.Context, in *wire.SetDefaultPolicyVersionRequest) error {
	return s.o.Engine.SetDefaultPolicyVersion(ctx, *in.PolicyName, *in.PolicyVersionID)
}

func (s *Server) policies(all []muster.Policy) []wire.Policy {
	shown := make([]wire.Policy, 0, len(all))
	for _, p := range all {
		shown = append(shown, s.policy(p.Name))
	}
	return shown
}

func (s *Server) policy(name string) wire.Policy {
	return wire.Policy{PolicyName: &name, PolicyARN: s.policyARN(name)}
}

func (s *Server) policyARN(name string) *string { return new(s.o.Account.ARN("policy", name)) }
