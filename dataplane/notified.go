package dataplane

import (
	"bytes"

	"github.com/muster-iot/muster"
)

// Notified returns of a notification that a Notifier published the thing that it is for and the first job that it
// names. It returns false if it names none, and for other messages.
func Notified(topic string, payload []byte) (thing muster.ThingName, job muster.JobID, ok bool) {
	t, ok := ParseTopic(topic)
	if !ok || t.Kind != NotifyList && t.Kind != NotifyNext {
		return "", "", false
	}
	_, rest, ok := bytes.Cut(payload, []byte(`"jobId":"`)) // within a string its quotes would be escaped
	if !ok {
		return "", "", false
	}
	id, _, _ := bytes.Cut(rest, []byte{'"'})
	return t.Thing, muster.JobID(id), true
}
