package webhook

import (
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
	"github.com/muster-iot/muster/events"
	"github.com/muster-iot/muster/internal/plainjson"
)

// Content types of CloudEvents in JSON.
const (
	structured = "application/cloudevents+json; charset=utf-8"
	batched    = "application/cloudevents-batch+json; charset=utf-8"
)

// typePrefix begins the type of every event.
const typePrefix = "io.github.muster-iot."

// cloudEvent is an event in the JSON format of CloudEvents 1.0. Its data is the
// payload that MQTT subscribers get, or an audit record.
type cloudEvent struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`     // the eventId, the same each time the event is sent
	Source          string `json:"source"` // the deployment
	Type            string `json:"type"`   // such as "io.github.muster-iot.jobExecution.failed"
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Sequence        string `json:"sequence"` // an extension: it sorts in the order of the log
	Data            any    `json:"data"`
}

// encode returns the body of a request: a list of events for a batch, and otherwise
// the only event.
func encode(all []eventlog.Event, account muster.Account, batch bool) body {
	list := make([]cloudEvent, len(all))
	for i, e := range all {
		list[i] = eventOf(e, account)
	}
	if batch {
		return body{batched, append(plainjson.Encode(list), '\n')}
	}
	return body{structured, append(plainjson.Encode(list[0]), '\n')}
}

func eventOf(e eventlog.Event, account muster.Account) cloudEvent {
	family, subject := about(e)
	return cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: "arn:aws:iot:" + account.Region + ":" + account.ID,
		Type: typePrefix + family + "." + string(e.Operation), Subject: subject,
		Time: e.At.Time().Format(time.RFC3339Nano), DataContentType: "application/json",
		Sequence: e.Place,
		Data:     data(e, account),
	}
}

// data returns the data of an event, to be encoded as JSON.
func data(e eventlog.Event, account muster.Account) any {
	if e.Type == muster.EventAudit {
		return e.Audit
	}
	return events.Payload(e, account)
}

// about returns the family of an event, as in its topic, and its subject: the path
// of what it is about.
func about(e eventlog.Event) (family, subject string) {
	switch e.Type {
	case muster.EventAudit:
		return "audit", "audit/" + e.Subject
	case muster.EventJob:
		return "job", "job/" + string(e.Job.ID)
	case muster.EventJobExecution:
		return "jobExecution", "thing/" + string(e.Execution.Thing) + "/job/" + string(e.Execution.Job)
	case muster.EventThing:
		return "thing", "thing/" + string(e.Thing.Name)
	case muster.EventThingTypeAssociation:
		return "thingTypeAssociation", "thing/" + string(e.Thing.Name) + "/thingtype/" + string(e.Thing.Type)
	case muster.EventThingType:
		return "thingType", "thingtype/" + string(e.ThingType.Name)
	case muster.EventThingGroupMembership:
		return "thingGroupMembership", "thinggroup/" + string(e.Group.Name) + "/thing/" + string(e.Thing.Name)
	case muster.EventThingGroupHierarchy:
		return "thingGroupHierarchy", "thinggroup/" + string(e.Group.Parent) + "/thinggroup/" + string(e.Group.Name)
	}
	return "thingGroup", "thinggroup/" + string(e.Group.Name)
}
