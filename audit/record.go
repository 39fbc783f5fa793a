// Package audit records who changed what: every change by a person or a key, in the transaction of the change, and
// every attempt that was refused.
package audit

import "github.com/muster-iot/muster"

// Record is one request that changed something, or was refused.
type Record struct {
	At          muster.Instant `json:"at"`
	RequestID   string         `json:"requestId"`
	AccessKeyID string         `json:"accessKeyId,omitempty"` // empty for a command on a stopped folder
	User        string         `json:"user,omitempty"`        // the key's name
	Address     string         `json:"address,omitempty"`     // the client's, without its port
	Service     string         `json:"service"`               // that it was asked for: iot, muster or s3
	Operation   string         `json:"operation"`             // such as CreateJob, or muster:Backup without its head: Backup
	Resources   []string       `json:"resources,omitempty"`   // every ARN that was authorised
	Outcome     Outcome        `json:"outcome"`
	Error       string         `json:"error,omitempty"`   // the name of the error of an attempt
	Message     string         `json:"message,omitempty"` // its message, cut
	Count       int            `json:"count,omitempty"`   // of equal attempts that this record stands for; zero is one
	Changes     []Change       `json:"changes,omitempty"`
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
