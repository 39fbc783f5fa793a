package authz

import (
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/rights"
)

// until waits until a live connection has a right, or has it no longer. Run needs
// a moment; the test fails when that never happens.
func (w *world) until(what string, want bool, right func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); right() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: the right is still %v", what, !want)
		}
	}
}

// TestAUTH44ALiveConnectionFollowsTheRegistry changes everything that the rights
// of a connection rest on, and watches the connection gain and lose a right.
func TestAUTH44ALiveConnectionFollowsTheRegistry(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	attributes := func(site string) muster.ThingUpdate {
		return muster.ThingUpdate{Attributes: muster.AttributePayload{Attributes: map[string]string{"site": site}}}
	}
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	own := rights.PolicyTarget{Certificate: id}
	publish := func(resource string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/` + resource + `"}}`
	}
	w.allow("connect", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}`, own)
	w.allow("site", publish("site/${iot:Connection.Thing.Attributes[site]}"), own)
	w.allow("type", publish("type/${iot:Connection.Thing.ThingTypeName}"), own)
	w.allow("name", publish("name/${iot:Connection.Thing.ThingName}"), own)
	w.must(w.Registry.CreateThingType(ctx, muster.ThingType{Name: "light"}, nil))
	w.must(w.Registry.CreateThingGroup(ctx, muster.Group{Name: "house"}, nil))
	w.must(w.Registry.CreateThingGroup(ctx, muster.Group{Name: "room", Parent: "house"}, nil))
	w.must(w.Registry.CreateThingGroup(ctx, muster.Group{Name: "barn"}, nil))
	w.allow("room", publish("room"), rights.PolicyTarget{Group: "room"})
	w.allow("house", publish("house"), rights.PolicyTarget{Group: "house"})
	w.must(w.Rights.CreatePolicy(ctx, "late", publish("late"), nil))
	d, err := w.connect(der, "lamp")
	w.ok(err)
	for _, step := range []struct {
		what  string
		do    func() error
		topic string
		want  bool
	}{
		{"the thing attached", func() error { return w.Rights.AttachPrincipal(ctx, "lamp", id, muster.Attachment{}) }, "name/lamp", true},
		{"an attribute", func() error { return w.Registry.UpdateThing(ctx, "lamp", attributes("north")) }, "site/north", true},
		{"another value of it", func() error { return w.Registry.UpdateThing(ctx, "lamp", attributes("south")) }, "site/north", false},
		{"a type", func() error { return w.Registry.UpdateThing(ctx, "lamp", muster.ThingUpdate{Type: "light"}) }, "type/light", true},
		{"no type", func() error { return w.Registry.UpdateThing(ctx, "lamp", muster.ThingUpdate{RemoveType: true}) }, "type/light", false},
		{"a group", func() error { return w.Registry.AddThingToThingGroup(ctx, "lamp", "room") }, "room", true},
		{"the policy of the group above", func() error { return nil }, "house", true},
		{"the policy off the group above", func() error { return w.Rights.DetachPolicy(ctx, "house", rights.PolicyTarget{Group: "house"}) }, "house", false},
		{"and on again", func() error { return w.Rights.AttachPolicy(ctx, "house", rights.PolicyTarget{Group: "house"}) }, "house", true},
		{"other groups at once", func() error {
			return w.Registry.UpdateThingGroupsForThing(ctx, "lamp", []muster.GroupName{"barn"}, []muster.GroupName{"room"})
		}, "room", false},
		{"the first group again", func() error { return w.Registry.AddThingToThingGroup(ctx, "lamp", "room") }, "room", true},
		{"the group deleted", func() error { return w.Registry.DeleteThingGroup(ctx, "room", nil) }, "room", false},
		{"the group above is lost with it", func() error { return nil }, "house", false},
		{"a policy attached", func() error { return w.Rights.AttachPolicy(ctx, "late", own) }, "late", true},
		{"another version in force", func() error { _, err := w.Rights.CreatePolicyVersion(ctx, "late", publish("later"), true); return err }, "late", false},
		{"the first version again", func() error { return w.Rights.SetDefaultPolicyVersion(ctx, "late", "1") }, "late", true},
		{"the policy detached", func() error { return w.Rights.DetachPolicy(ctx, "late", own) }, "late", false},
		{"the thing detached", func() error { return w.Rights.DetachPrincipal(ctx, "lamp", id) }, "name/lamp", false},
		{"the policy attached again", func() error { return w.Rights.AttachPolicy(ctx, "late", own) }, "late", true},
		{"the certificate inactive", func() error { return w.Rights.UpdateCertificate(ctx, id, muster.CertificateInactive) }, "late", false},
		{"and active again (AUTH-31)", func() error { return w.Rights.UpdateCertificate(ctx, id, muster.CertificateActive) }, "late", true},
	} {
		w.ok(step.do())
		w.until(step.what, step.want, func() bool { return d.Publish(step.topic, false) == nil })
	}
	if got := <-w.revoked; !strings.EqualFold(got, string(id)) {
		t.Errorf("revoked %s, want %s", got, id)
	}
}
