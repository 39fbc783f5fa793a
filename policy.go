package muster

import "strconv"

// PolicyVersionsMax is how many versions a policy may have at once.
const PolicyVersionsMax = 5

// Policy is a named device policy with its versions (identity-and-auth.md
// section B.1). Policies are values; rules return changed copies.
type Policy struct {
	Name         string
	Versions     []PolicyVersion // oldest first
	Default      string          // the ID of the version in force
	Last         int             // the highest version number so far, even if that version was deleted
	CreatedAt    Instant
	UpdatedAt    Instant
	GenerationID string
}

// PolicyVersion is one version of a policy's document, stored as it was given.
type PolicyVersion struct {
	ID        string // a decimal number, never reused
	Document  string
	CreatedAt Instant
}

// NewPolicy returns a policy whose first version is document.
func NewPolicy(name, document string, now Instant) Policy {
	return Policy{
		Name: name, Default: "1", Last: 1, CreatedAt: now, UpdatedAt: now,
		Versions: []PolicyVersion{{ID: "1", Document: document, CreatedAt: now}},
	}
}

// Version returns the version with an ID. It fails with NotFound.
func (p Policy) Version(id string) (PolicyVersion, error) {
	for _, v := range p.Versions {
		if v.ID == id {
			return v, nil
		}
	}
	return PolicyVersion{}, Errorf(NotFound, "Policy %s has no version %s", p.Name, id)
}

// InForce returns the document of the default version.
func (p Policy) InForce() string {
	v, _ := p.Version(p.Default)
	return v.Document
}

// WithVersion returns the policy with one more version, and that version. It fails
// with VersionsLimit when there are PolicyVersionsMax already.
func (p Policy) WithVersion(document string, asDefault bool, now Instant) (Policy, PolicyVersion, error) {
	if len(p.Versions) >= PolicyVersionsMax {
		return p, PolicyVersion{}, Errorf(VersionsLimit, "The policy %s already has the maximum number of versions (%d)", p.Name, PolicyVersionsMax)
	}
	p.Last++
	v := PolicyVersion{ID: strconv.Itoa(p.Last), Document: document, CreatedAt: now}
	p.Versions = append(append([]PolicyVersion(nil), p.Versions...), v)
	if asDefault {
		p.Default = v.ID
	}
	p.UpdatedAt = now
	return p, v, nil
}

// WithoutVersion returns the policy without the version id. It fails with NotFound,
// and with Invalid for the default version.
func (p Policy) WithoutVersion(id string, now Instant) (Policy, error) {
	if _, err := p.Version(id); err != nil {
		return p, err
	}
	if id == p.Default {
		return p, Errorf(Invalid, "Cannot delete the default version of a policy")
	}
	var left []PolicyVersion
	for _, v := range p.Versions {
		if v.ID != id {
			left = append(left, v)
		}
	}
	p.Versions, p.UpdatedAt = left, now
	return p, nil
}

// WithDefault returns the policy with id as its default version. It fails with
// NotFound.
func (p Policy) WithDefault(id string, now Instant) (Policy, error) {
	if _, err := p.Version(id); err != nil {
		return p, err
	}
	p.Default, p.UpdatedAt = id, now
	return p, nil
}
