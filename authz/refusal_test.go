package authz

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rights"
)

// overheard is what an Authorizer tells of.
type overheard struct {
	refusals []Refusal
	allowed  []string
}

func (w *world) overhear() *overheard {
	o := &overheard{}
	w.a.o.Refused = func(f Refusal) { o.refusals = append(o.refusals, f) }
	w.a.o.Allowed = func(d *Device, action, resource string) {
		o.allowed = append(o.allowed, fmt.Sprint(action, " ", resource, " ", d.ClientID(), d.Attached()))
	}
	return o
}

// last returns the only refusal since the last call.
func (o *overheard) last(t *testing.T) Refusal {
	t.Helper()
	if len(o.refusals) != 1 {
		t.Fatalf("%d refusals are told: %+v", len(o.refusals), o.refusals)
	}
	f := o.refusals[0]
	o.refusals = nil
	return f
}

func TestRefusalsAreToldWithWhoAndWhy(t *testing.T) {
	w := newWorld(t)
	o := w.overhear()
	tomorrow := w.now.Add(time.Hour)
	unknown, unknownID := w.device("u", 0, tomorrow, nil)
	inactive, inactiveID := w.device("i", muster.CertificateInactive, tomorrow, nil)
	w.ok(w.Rights.AttachPrincipal(t.Context(), "lamp", inactiveID, muster.Attachment{}))
	bare, bareID := w.device("b", muster.CertificateActive, tomorrow, nil)
	for _, tt := range []struct {
		der    []byte
		client string
		want   Refusal
	}{
		{nil, "lamp", Refusal{Why: "a connection without identity"}},
		{unknown, "lamp", Refusal{Principal: string(unknownID), Why: "an unknown certificate"}},
		{inactive, "lamp", Refusal{Principal: string(inactiveID), Known: true, Attached: []muster.ThingName{"lamp"}, Why: "a certificate that is INACTIVE"}},
		{inactive, "other", Refusal{Principal: string(inactiveID), Known: true, Attached: []muster.ThingName{"lamp"}, Why: "a certificate that is INACTIVE"}},
		{bare, "lamp", Refusal{Principal: string(bareID), Known: true, Active: true}},
	} {
		if _, err := w.connect(tt.der, tt.client); err == nil {
			t.Fatalf("%+v is let in", tt.want)
		}
		tt.want.ClientID, tt.want.Action, tt.want.Resource = tt.client, "iot:Connect", "client/"+tt.client
		if got := o.last(t); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", tt.want) {
			t.Errorf("told of %+v, want %+v", got, tt.want)
		}
	}
	if _, err := w.a.Device(t.Context(), inactive, "127.0.0.1:1"); err == nil {
		t.Fatal("an inactive certificate is let in over HTTPS")
	}
	if got := o.last(t); got.Resource != "https" || got.ClientID != "" || got.Principal != string(inactiveID) {
		t.Errorf("over HTTPS told of %+v", got)
	}
}

func TestTheFirstOfAKindIsToldAndAgainAfterARefusal(t *testing.T) {
	w := newWorld(t)
	o := w.overhear()
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.ok(w.Rights.AttachPrincipal(t.Context(), "lamp", id, muster.Attachment{}))
	w.allow("minimal", minimal, rights.PolicyTarget{Certificate: id})
	lamp, err := w.connect(der, "lamp")
	w.ok(err)
	for range 3 {
		w.ok(lamp.Publish("$aws/things/lamp/jobs/get", false))
		w.ok(lamp.Subscribe("$aws/things/lamp/jobs/notify"))
		lamp.Receive("$aws/things/lamp/jobs/notify")
	}
	want := []string{
		"iot:Publish topic/$aws/things/lamp/jobs/get lamp[lamp]", "iot:Subscribe topicfilter/$aws/things/lamp/jobs/notify lamp[lamp]",
		"iot:Receive topic/$aws/things/lamp/jobs/notify lamp[lamp]",
	}
	if !slices.Equal(o.allowed, want) {
		t.Errorf("told of %q, want %q", o.allowed, want)
	}
	for _, try := range []struct {
		do   func() bool
		want Refusal
	}{
		{func() bool { return lamp.Publish("dt/lamp", false) == nil }, Refusal{Action: "iot:Publish", Resource: "topic/dt/lamp"}},
		{func() bool { return lamp.Subscribe("$aws/things/pump/#") == nil }, Refusal{Action: "iot:Subscribe", Resource: "topicfilter/$aws/things/pump/#"}},
		{func() bool { return lamp.Receive("$aws/things/lamp/x") }, Refusal{Action: "iot:Receive", Resource: "topic/$aws/things/lamp/x"}},
	} {
		if try.do() {
			t.Fatalf("%+v is permitted", try.want)
		}
		if got := o.last(t); got.Action != try.want.Action || got.Resource != try.want.Resource || got.Principal != string(id) || got.Decision.Policy != "" || !got.Active {
			t.Errorf("told of %+v, want %+v", got, try.want)
		}
	}
	o.allowed = nil
	w.ok(lamp.Publish("$aws/things/lamp/jobs/get", false)) // of another kind than what was refused
	w.ok(lamp.Subscribe("$aws/things/lamp/jobs/notify"))
	lamp.Receive("$aws/things/lamp/jobs/notify")
	if !slices.Equal(o.allowed, want[1:]) {
		t.Errorf("told of %q after refusals, want %q", o.allowed, want[1:])
	}
}

func TestADeviceOfSeveralThingsIsAttachedToThem(t *testing.T) {
	w := newWorld(t)
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.allow("all", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`, rights.PolicyTarget{Certificate: id})
	for i := range 12 {
		name := muster.ThingName(fmt.Sprintf("thing-%02d", i))
		w.must(w.Registry.CreateThing(t.Context(), muster.Thing{Name: name}))
		w.ok(w.Rights.AttachPrincipal(t.Context(), name, id, muster.Attachment{}))
	}
	for client, want := range map[string]int{"gate": 10, "thing-11": 1} {
		grant, err := w.connect(der, client)
		w.ok(err)
		if got := grant.(*Device).Attached(); len(got) != want {
			t.Errorf("as %s it is attached to %v", client, got)
		}
	}
}
