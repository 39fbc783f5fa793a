package webhook

import (
	"fmt"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
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

// cloudEvent is an event in the JSON format of CloudEvents 1.0. Its data is what
// MQTT subscribers get.
type cloudEvent struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`     // the eventId: the same whenever the event is sent
	Source          string `json:"source"` // the deployment
	Type            string `json:"type"`   // what happened to what: "io.github.muster-iot.jobExecution.failed"
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Sequence        string `json:"sequence"` // an extension: it sorts as the events happened, or were replayed
	Data            any    `json:"data"`
}

// encode returns the body of a request, one line: a list if it is a batch, and
// otherwise the only event.
func encode(all []engine.Happening, account muster.Account, batch bool) body {
	list := make([]cloudEvent, len(all))
	for i, h := range all {
		list[i] = eventOf(h, account)
	}
	if batch {
		return body{batched, append(plainjson.Encode(list), '\n')}
	}
	return body{structured, append(plainjson.Encode(list[0]), '\n')}
}

func eventOf(h engine.Happening, account muster.Account) cloudEvent {
	family, subject := about(h)
	return cloudEvent{
		SpecVersion: "1.0", ID: h.ID, Source: "arn:aws:iot:" + account.Region + ":" + account.ID,
		Type: typePrefix + family + "." + h.Operation, Subject: subject,
		Time: h.At.Time().Format(time.RFC3339Nano), DataContentType: "application/json",
		Sequence: fmt.Sprintf("%020d", h.Place),
		Data:     events.Payload(h, account),
	}
}

// about returns the family of an event, as in its topic, and what it is about.
func about(h engine.Happening) (family, subject string) {
	switch h.Type {
	case muster.EventJob:
		return "job", "job/" + string(h.Job.ID)
	case muster.EventJobExecution:
		return "jobExecution", "thing/" + string(h.Execution.Thing) + "/job/" + string(h.Execution.Job)
	case muster.EventThing:
		return "thing", "thing/" + string(h.Thing.Name)
	case muster.EventThingTypeAssociation:
		return "thingTypeAssociation", "thing/" + string(h.Thing.Name) + "/thingtype/" + string(h.Thing.Type)
	case muster.EventThingType:
		return "thingType", "thingtype/" + string(h.ThingType.Name)
	case muster.EventThingGroupMembership:
		return "thingGroupMembership", "thinggroup/" + string(h.Group.Name) + "/thing/" + string(h.Thing.Name)
	case muster.EventThingGroupHierarchy:
		return "thingGroupHierarchy", "thinggroup/" + string(h.Group.Parent) + "/thinggroup/" + string(h.Group.Name)
	}
	return "thingGroup", "thinggroup/" + string(h.Group.Name)
}
