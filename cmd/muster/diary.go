package main

import (
	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/authz"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/presence"
)

// This file has the edges tell the diary what they see of devices, each in the words of its own.

// sees notes that a client came or went.
func (s *server) sees(p gateway.Presence) {
	who := subjectOf(p.Grant, p.Client.ClientID)
	if p.Connected {
		s.service.Diary.Came(who)
	} else {
		s.service.Diary.Left(who, presence.Reason(p.Cause), p.Keeps)
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
func (s *server) refused(f authz.Refusal) {
	who := diary.Subject{Attached: f.Attached, Active: f.Active, ClientID: f.ClientID}
	why := f.Why
	if why == "" {
		why = f.Decision.String()
	}
	if f.Action == iotpolicy.Connect {
		s.service.Diary.Refused(who, muster.CertificateID(f.Principal), why)
	} else if f.Why == "" {
		s.service.Diary.Denied(who, f.Action, f.Resource, f.Decision.Policy, f.Decision.Statement)
	}
	r := diary.Refusal{
		Principal: f.Principal, Stranger: !f.Active, ClientID: f.ClientID, Action: f.Action, Resource: f.Resource,
		Why: why, Policy: f.Decision.Policy, Statement: f.Decision.Statement,
	}
	if len(f.Attached) > 0 {
		r.Thing = f.Attached[0]
	}
	s.service.Diary.Refuse(r)
}

// allowed notes that a device was permitted something.
func (s *server) allowed(d *authz.Device, action, resource string) {
	s.service.Diary.Allowed(subjectOf(d, d.ClientID()), action, resource)
}

// asked notes a request of the data plane.
func (s *server) asked(r dataplane.Sight) {
	q := muster.Request{Operation: r.Operation, Code: r.Code, Message: r.Message, Job: r.Job}
	if r.Code != "" {
		s.service.Diary.Failed(r.Thing, q)
	} else {
		s.service.Diary.Asked(r.Thing, q, r.Changed)
	}
	if r.HTTPS {
		s.service.Diary.HTTPS(r.Thing)
	}
}

// delivered notes what became of a notification.
func (s *server) delivered(r gateway.Receipt) {
	thing, job, names := dataplane.Notified(r.Topic, r.Payload)
	switch {
	case !names:
	case r.Acknowledged:
		s.service.Diary.Acknowledged(thing)
	default:
		s.service.Diary.Told(thing, job)
	}
}
