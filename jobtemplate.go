package muster

import "strings"

// JobTemplateID names a custom job template: 1 to 64 characters of
// [a-zA-Z0-9_-].
type JobTemplateID string

// JobTemplate is a custom job template: what jobs that are made from it have in
// common (jobs-control-plane.md section 7). It never changes.
type JobTemplate struct {
	ID          JobTemplateID
	Description string
	Document    string
	Config      JobConfig // its Schedule has windows only
	CreatedAt   Instant

	DocumentSource string `json:",omitempty"` // the URL it was made from, if it was
}

// templateKind is what an ARN calls a job template.
const templateKind = "jobtemplate"

// JobTemplateARN returns the name of a custom job template.
func (a Account) JobTemplateARN(id JobTemplateID) string { return a.ARN(templateKind, string(id)) }

// ManagedTemplateARN returns the name of a version of a managed job template,
// which belongs to no account (jobs-control-plane.md section 1.1).
func (a Account) ManagedTemplateARN(name, version string) string {
	return Account{Region: a.Region}.ARN(templateKind, name+":"+version)
}

// JobTemplate reads the ARN of a job template. It returns the id of a custom
// one, which need not exist, or a managed one. It fails with Invalid, or with
// NotFound for a managed template, account or region that is not here.
func (a Account) JobTemplate(arn string) (JobTemplateID, *ManagedTemplate, error) {
	if full, ok := strings.CutPrefix(arn, Account{Region: a.Region}.ARN(templateKind, "")); ok {
		name, version, _ := strings.Cut(full, ":")
		if t, ok := FindManagedTemplate(name, version); ok && version != "" {
			return "", &t, nil
		}
		return "", nil, Errorf(NotFound, "Managed job template %s not found", full)
	}
	kind, name, err := a.ParseARN(arn)
	if err != nil {
		return "", nil, err
	}
	if kind != templateKind {
		return "", nil, Errorf(Invalid, "%s is not a job template", arn)
	}
	return JobTemplateID(name), nil, nil
}
