package muster

// JobTemplateID names a custom job template: 1 to 64 characters of
// [a-zA-Z0-9_-].
type JobTemplateID string

// JobTemplate is a custom job template: what the jobs that are created from it have
// in common (jobs-control-plane.md section 7). It never changes.
type JobTemplate struct {
	ID          JobTemplateID
	Description string
	Document    string
	Config      JobConfig // its Schedule has only windows
	CreatedAt   Instant

	DocumentSource string `json:",omitempty"` // the URL that the document was read from; empty if it was given
}

// templateKind is what an ARN calls a job template.
const templateKind = "jobtemplate"

// JobTemplateARN returns the ARN of a custom job template.
func (a Account) JobTemplateARN(id JobTemplateID) string { return a.ARN(templateKind, string(id)) }

// ManagedTemplateARN returns the ARN of a version of a managed job template. It has
// no account (jobs-control-plane.md section 1.1).
func (a Account) ManagedTemplateARN(name, version string) string {
	return Account{Region: a.Region}.ARN(templateKind, name+":"+version)
}
