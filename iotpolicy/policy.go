// Package iotpolicy is the policy language of identity-and-auth.md part B: it parses
// policies and decides what they allow. It is pure: who the caller is, which policies
// apply and what time it is comes from its callers.
package iotpolicy

import (
	"fmt"
	"log/slog"
	"slices"
)

// Policy is a compiled policy. It is immutable and safe for concurrent use: everything
// that differs between callers comes from Vars.
type Policy struct {
	name        string
	statements  []statement
	certificate bool // some statement asks for the names of the caller's certificate
}

// Name returns the name given to Parse.
func (p *Policy) Name() string { return p.name }

// statement is one compiled statement.
type statement struct {
	label      string // Sid, or # and its position
	deny       bool
	notAction  bool
	actions    []actionPattern
	notRes     bool
	resources  []pattern
	conditions []condition
}

// Vars returns the values of a policy variable or condition key for one caller, and
// whether it has any. Keys are in the spelling of the constants in this package, however
// the policy spells them. This package neither keeps nor changes the values.
type Vars func(key string) ([]string, bool)

// Request is an action on a resource that a caller asks for.
type Request struct {
	Action   string // such as "iot:Publish", in the spelling of AWS's pages
	Resource string // a full ARN, or "*" for actions without a resource
	Vars     Vars   // nil when nothing is known about the caller
	// Span makes each * in Resource stand for any run of characters. The request is
	// then about all resources that match: it is allowed only if each of them is, and
	// explicitly denied if any of them is.
	Span bool
}

// Outcome is the result of a decision. The zero Outcome denies.
type Outcome uint8

// The three outcomes, with the names that they have in TestAuthorization.
const (
	ImplicitDeny Outcome = iota // no statement applies
	ExplicitDeny                // a Deny statement applies
	Allowed                     // an Allow statement applies and no Deny does
)

// String returns the outcome as the authDecision of TestAuthorization.
func (o Outcome) String() string {
	return [...]string{"IMPLICIT_DENY", "EXPLICIT_DENY", "ALLOWED"}[o]
}

// Decision is an outcome and the statement that caused it.
type Decision struct {
	Outcome Outcome
	// Policy is the name of the deciding policy; empty for ImplicitDeny.
	Policy string
	// Statement is the Sid of the deciding statement or, when it has none, "#"
	// and its position from 0; empty for ImplicitDeny.
	Statement string
}

// Allowed reports whether the request may go ahead.
func (d Decision) Allowed() bool { return d.Outcome == Allowed }

// String explains the decision in half a sentence.
func (d Decision) String() string {
	switch d.Outcome {
	case Allowed:
		return fmt.Sprintf("allowed by statement %s of policy %s", d.Statement, d.Policy)
	case ExplicitDeny:
		return fmt.Sprintf("denied by statement %s of policy %s", d.Statement, d.Policy)
	default:
		return "no statement allows it"
	}
}

// LogValue returns the decision as a group of attributes.
func (d Decision) LogValue() slog.Value {
	return slog.GroupValue(slog.String("outcome", d.Outcome.String()),
		slog.String("policy", d.Policy), slog.String("statement", d.Statement))
}

// Set is all policies that apply to a caller, in any order.
type Set []*Policy

// AsksCertificate reports whether a decision may call Vars with a key that begins with
// "iot:Certificate.". Where it is false, Vars need not know the caller's certificate.
func (s Set) AsksCertificate() bool {
	return slices.ContainsFunc(s, func(p *Policy) bool { return p.certificate })
}

// Decide evaluates the statements of all policies. If a Deny applies the request is
// denied explicitly, otherwise if an Allow applies it is allowed, otherwise it is denied
// implicitly (AUTH-60). An empty set denies everything.
func (s Set) Decide(r Request) Decision {
	var d Decision
	if r.Vars == nil {
		r.Vars = noVars
	}
	names := [2]string{r.Action, otherNames[r.Action]}
	also := otherSpelling(names, r.Resource)
	for _, p := range s {
		for i := range p.statements {
			st := &p.statements[i]
			if !st.deny && d.Outcome == Allowed || !st.applies(&r, names, also) {
				continue
			}
			d = Decision{Outcome: Allowed, Policy: p.name, Statement: st.label}
			if st.deny {
				d.Outcome = ExplicitDeny
				return d
			}
		}
	}
	return d
}

func noVars(string) ([]string, bool) { return nil, false }

// applies reports whether the statement applies to a request, whose action has the given
// names and whose resource has the second spelling also, unless that is empty.
func (st *statement) applies(r *Request, names [2]string, also string) bool {
	return st.coversAction(names) && st.coversSpellings(r, also) && st.conditionsHold(r.Vars)
}

func (st *statement) coversAction(names [2]string) bool {
	for i := range st.actions {
		if st.actions[i].match(names[0]) || names[1] != "" && st.actions[i].match(names[1]) {
			return !st.notAction
		}
	}
	return st.notAction
}

// coversSpellings reports whether the statement covers one of the two spellings of the
// resource. An Allow with NotResource must cover both, so that neither is listed.
func (st *statement) coversSpellings(r *Request, also string) bool {
	covers := st.coversResource(r, r.Resource)
	switch {
	case also == "":
		return covers
	case st.notRes && !st.deny:
		return covers && st.coversResource(r, also)
	}
	return covers || st.coversResource(r, also)
}

// coversResource reports whether the statement covers a resource. A pattern with a
// variable that has no value matches nothing (AUTH-59). In a NotResource that would make
// the statement cover more, so an Allow then covers nothing, while a Deny still denies.
func (st *statement) coversResource(r *Request, resource string) bool {
	for i := range st.resources {
		if st.notRes && !st.deny && !st.resources[i].resolves(r.Vars) {
			return false
		}
		if st.matches(st.resources[i], r, resource) {
			return !st.notRes
		}
	}
	return st.notRes
}

// matches reports whether a pattern of the statement matches a resource. For a span, a
// Deny needs a match of one resource and an Allow of all of them; with a NotResource it is
// the other way round.
func (st *statement) matches(p pattern, r *Request, resource string) bool {
	if r.Span {
		return p.spanned(resource, r.Vars, st.deny != st.notRes)
	}
	return p.match(resource, r.Vars)
}

func (st *statement) conditionsHold(vars Vars) bool {
	for i := range st.conditions {
		if !st.conditions[i].holds(vars) {
			return false
		}
	}
	return true
}

// asksCertificate reports whether the statement may ask for a name of the certificate.
func (st *statement) asksCertificate() bool {
	return slices.ContainsFunc(st.resources, pattern.asksCertificate) ||
		slices.ContainsFunc(st.conditions, func(c condition) bool { return c.certificate })
}
