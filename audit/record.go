// Package audit records who changed what: every change by a person or a key, in the transaction of the change, and
// every attempt that was refused.
package audit

import (
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/excerpt"
)

// Record is one request that changed something, or was refused.
type Record struct {
	At          muster.Instant `json:"at"` // when the request began
	RequestID   string         `json:"requestId"`
	AccessKeyID string         `json:"accessKeyId,omitempty"` // empty for a command on a stopped folder
	User        string         `json:"user,omitempty"`        // the key's name
	Address     string         `json:"address,omitempty"`     // the client's, without its port
	Service     string         `json:"service"`               // that it was asked for: iot, muster or s3
	Operation   string         `json:"operation"`             // such as CreateJob, or muster:Backup without its head: Backup
	Resources   []string       `json:"resources,omitempty"`   // every ARN that was authorised
	Outcome     Outcome        `json:"outcome"`
	Error       string         `json:"error,omitempty"`   // the name of the error; of a request that is Done, of the part that is not
	Message     string         `json:"message,omitempty"` // its message, cut
	Count       int            `json:"count,omitempty"`   // of equal attempts that this record stands for; zero is one
	Changes     []Change       `json:"changes,omitempty"`
	MoreChanges int            `json:"moreChanges,omitempty"` // how many were left out of Changes, which has 100 at most
}

// Outcome is what became of a request.
type Outcome string

// The outcomes. Begun is that of a change that has no transaction of the store and whose end is not recorded: it is shown
// as unknown.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // by policy
	Failed  Outcome = "failed"  // by the service's rules
	Begun   Outcome = "unknown"
)

// Change is a field that a request has changed, with the values before and after it where they may be shown and are shorter than 256 bytes.
type Change struct {
	Resource string `json:"resource,omitempty"` // what has the field, as a word and a name: job/fw
	Field    string `json:"field"`              // in the API's words, such as jobExecutionsRolloutConfig.maximumPerMinute
	Old      string `json:"old,omitempty"`
	New      string `json:"new,omitempty"`
}

// Bounds of a record. Those of what a client may choose freely, so that a refused request cannot make us keep much, are in
// bytes.
const (
	changesMax   = 100
	resourcesMax = 1024 // as many as one request can name
	nameMax      = 256
	messageMax   = 512
	resourceMax  = 1536 // more than the longest ARN that is valid
	valueMax     = 256  // values are shorter
)

// change adds changes to a record, as far as it has room for them.
func (r *Record) change(changes []Change) {
	room := max(changesMax-len(r.Changes), 0)
	fit := changes[:min(len(changes), room)]
	r.Changes = append(r.Changes, fit...)
	r.MoreChanges += len(changes) - len(fit)
}

// name adds the resources of an attempt to a record, each once. "*" names none.
func (r *Record) name(resources []string) {
	seen := map[string]bool{"*": true, "": true}
	for _, arn := range r.Resources {
		seen[arn] = true
	}
	for _, arn := range resources {
		if arn = text(arn, resourceMax); !seen[arn] && len(r.Resources) < resourcesMax {
			seen[arn] = true
			r.Resources = append(r.Resources, arn)
		}
	}
}

// text returns what a record has of a client's text: valid UTF-8 of about limit bytes, without NUL, which separates the parts of keys.
func text(s string, limit int) string {
	return strings.ReplaceAll(strings.ToValidUTF8(excerpt.Of(s, limit), "\uFFFD"), "\x00", "\uFFFD")
}
