package service

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/eventlog"
)

// recordEvents tells the receivers of a log of events of audit records.
type recordEvents struct{ log *eventlog.Log }

// Wanted implements audit.Events.
func (e recordEvents) Wanted(tx *commit.Tx) (bool, error) {
	return e.log.Enabled(tx, muster.EventAudit)
}

// Tell implements audit.Events.
func (e recordEvents) Tell(tx *commit.Tx, requestID string, entry []byte) error {
	return e.log.Tell(tx, eventlog.Event{Type: muster.EventAudit, Operation: eventlog.Recorded, Subject: requestID, Audit: entry})
}
