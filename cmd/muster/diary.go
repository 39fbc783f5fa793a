package main

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/door"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/presence"
)

// writer writes diaries of what the edges tell it, each in the words of its own.
type writer struct{ *diary.Recorder }

// presence notes that a client came or went.
func (w writer) presence(p gateway.Presence) {
	who := subjectOf(p.Grant, p.Client.ClientID)
	if p.Connected {
		w.Came(who)
	} else {
		w.Left(who, presence.Reason(p.Cause), p.Keeps)
	}
}

// subjectOf returns who has connected. Whoever has no certificate came with an access key, or over a listener whose clients may be
// any thing.
func subjectOf(grant gateway.Grant, client string) diary.Subject {
	if d, ok := grant.(*authz.Device); ok {
		return diary.Subject{Attached: d.Attached(), Active: true, ClientID: client}
	}
	return diary.Subject{Active: true, ClientID: client}
}

// refused notes what somebody was refused.
func (w writer) refused(f authz.Refusal) {
	who := diary.Subject{Attached: f.Attached, Active: f.Active, ClientID: f.ClientID}
	why := f.Why
	if why == "" {
		why = f.Decision.String()
	}
	if f.Action == iotpolicy.Connect {
		w.Refused(who, muster.CertificateID(f.Principal), why)
	} else if f.Why == "" {
		w.Denied(who, f.Action, f.Resource, f.Decision.Policy, f.Decision.Statement)
	}
	r := diary.Refusal{
		Principal: f.Principal, Stranger: !f.Active, ClientID: f.ClientID, Action: f.Action, Resource: f.Resource,
		Why: why, Policy: f.Decision.Policy, Statement: f.Decision.Statement,
	}
	if len(f.Attached) > 0 {
		r.Thing = f.Attached[0]
	}
	w.Refuse(r)
}

// handshake notes that a TLS handshake has failed; who that was is not known.
func (w writer) handshake(kind door.Kind, why string) {
	w.Refuse(diary.Refusal{Stranger: true, Action: "tls:Handshake", Resource: "listener/" + kind.String(), Why: why})
}

// allowed notes that a device was permitted something.
func (w writer) allowed(d *authz.Device, action, resource string) {
	w.Allowed(subjectOf(d, d.ClientID()), action, resource)
}

// asked notes a request of the data plane.
func (w writer) asked(r dataplane.Sight) {
	q := muster.Request{Operation: r.Operation, Code: r.Code, Message: r.Message, Job: r.Job}
	if r.Code != "" {
		w.Failed(r.Thing, q)
	} else {
		w.Asked(r.Thing, q, r.Changed)
	}
	if r.HTTPS {
		w.HTTPS(r.Thing)
	}
}

// delivered notes what became of a notification.
func (w writer) delivered(r gateway.Receipt) {
	thing, job, names := dataplane.Notified(r.Topic, r.Payload)
	switch {
	case !names:
	case r.Acknowledged:
		w.Acknowledged(thing)
	default:
		w.Told(thing, job)
	}
}
