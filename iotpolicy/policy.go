// Package iotpolicy reads the policy language of identity-and-auth.md part B and
// decides what a policy allows. It is pure: it never looks up who the caller is,
// where policies are kept or what time it is.
package iotpolicy

import (
	"fmt"
	"log/slog"
)

// Policy is a parsed policy, ready to decide. It never changes and may be shared
// by any number of goroutines and connections: what differs between callers
// comes in through Vars.
type Policy struct {
	name       string
	statements []statement
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

// Vars returns the values that a policy variable or condition key has for the
// caller at hand, and whether it has any. Keys come in the spelling of the
// constants in this package, however the policy spells them. The values are not
// kept or changed.
type Vars func(key string) ([]string, bool)

// Request is one thing somebody wants to do.
type Request struct {
	Action   string // such as "iot:Publish", in the spelling of AWS's pages
	Resource string // a full ARN, or "*" for actions without a resource
	Vars     Vars   // nil when nothing is known about the caller
	// Span makes each * of Resource stand for any run of characters. The request
	// is then about every resource that this can mean: allowed only if all of them
	// are, and explicitly denied if any of them is.
	Span bool
}

// Outcome is what the policies say. The zero Outcome denies.
type Outcome uint8

// The three outcomes, named as TestAuthorization names them.
const (
	ImplicitDeny Outcome = iota // no statement applies
	ExplicitDeny                // a Deny statement applies
	Allowed                     // an Allow statement applies and no Deny does
)

// String returns the outcome as it stands in TestAuthorization's authDecision.
func (o Outcome) String() string {
	return [...]string{"IMPLICIT_DENY", "EXPLICIT_DENY", "ALLOWED"}[o]
}

// Decision is an outcome and the statement that brought it about.
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

// Set is all policies that hold for a caller, in any order.
type Set []*Policy

// Decide looks at every statement of every policy: an applicable Deny wins, else
// an applicable Allow, else the request is denied implicitly (AUTH-60). An empty
// set denies everything.
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

// applies looks at both names of an action and, if also is not empty, both
// spellings of the resource.
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

// coversSpellings lets a statement apply by either spelling of a resource. An
// Allow of all but a list needs both: neither may be on the list.
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

// coversResource never matches a resource with an unresolved variable (AUTH-59).
// In a NotResource that would widen the statement, so there an Allow does not
// apply at all; a Deny keeps denying.
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

// matches reports whether a pattern of the statement matches a resource. Of a
// span a Deny wants one match and an Allow every one; a NotResource turns that
// round.
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
