package service

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

// accessLog notes whose rights may have changed, as "all", "cert c1" and
// "thing lamp".
type accessLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *accessLog) note(c rights.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.All {
		l.lines = append(l.lines, "all")
	}
	for _, id := range c.Certificates {
		l.lines = append(l.lines, "cert "+string(id))
	}
	for _, name := range c.Things {
		l.lines = append(l.lines, "thing "+string(name))
	}
}

func (l *accessLog) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.lines)
	got := strings.Join(slices.Compact(l.lines), ", ")
	l.lines = nil
	return got
}

// Whatever changes a right says so before it is answered (AUTH-31, AUTH-44).
func TestAUTH44ChangesOfRightsAreTold(t *testing.T) {
	var told accessLog
	env := newEnvOn(t, newStore(t), Options{Watcher: watcher{rightsChanged: told.note}})
	ctx := t.Context()
	certificate := func(id string) error {
		_, err := env.AddCertificate(ctx, muster.Certificate{ID: muster.CertificateID(id), Status: muster.CertificateActive})
		return err
	}
	c1, north := rights.PolicyTarget{Certificate: "c1"}, rights.PolicyTarget{Group: "north"}
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a thing", func() error { _, err := env.CreateThing(ctx, muster.Thing{Name: "lamp"}); return err }, ""},
		{"a certificate", func() error { return certificate("c1") }, "cert c1"},
		{"its attachment", func() error { return env.AttachPrincipal(ctx, "lamp", "c1", muster.Attachment{}) }, "cert c1"},
		{"a policy", func() error { _, err := env.CreatePolicy(ctx, "p", "{}", nil); return err }, ""},
		{"a policy of the certificate", func() error { return env.AttachPolicy(ctx, "p", c1) }, "cert c1"},
		{"the same again", func() error { return env.AttachPolicy(ctx, "p", c1) }, ""},
		{"a version that is not in force", func() error { _, err := env.CreatePolicyVersion(ctx, "p", "{}", false); return err }, ""},
		{"a version in force", func() error { _, err := env.CreatePolicyVersion(ctx, "p", "{}", true); return err }, "all"},
		{"another default", func() error { return env.SetDefaultPolicyVersion(ctx, "p", "1") }, "all"},
		{"a version less", func() error { return env.DeletePolicyVersion(ctx, "p", "2") }, ""},
		{"attributes", func() error {
			return env.UpdateThing(ctx, "lamp", muster.ThingUpdate{Attributes: muster.AttributePayload{Attributes: map[string]string{"a": "1"}}})
		}, "thing lamp"},
		{"a group", func() error { env.group("all/north"); return nil }, ""},
		{"a member", func() error { return env.AddThingToThingGroup(ctx, "lamp", "north") }, "thing lamp"},
		{"a policy of the group", func() error { return env.AttachPolicy(ctx, "p", north) }, "all"},
		{"the policy off the group", func() error { return env.DetachPolicy(ctx, "p", north) }, "all"},
		{"a member less", func() error { return env.RemoveThingFromThingGroup(ctx, "lamp", "north") }, "thing lamp"},
		{"a member again", func() error { return env.AddThingToThingGroup(ctx, "lamp", "north") }, "thing lamp"},
		{"a policy of the group above", func() error { return env.AttachPolicy(ctx, "p", rights.PolicyTarget{Group: "all"}) }, "all"},
		{"the group gone, and with it the policy above", func() error { return env.DeleteThingGroup(ctx, "north", nil) }, "all"},
		{"the group above gone", func() error { return env.DeleteThingGroup(ctx, "all", nil) }, "all"},
		{"a group without policies gone", func() error { env.group("south"); return env.DeleteThingGroup(ctx, "south", nil) }, ""},
		{"a status", func() error { return env.UpdateCertificate(ctx, "c1", muster.CertificateRevoked) }, "cert c1"},
		{"the policy off the certificate", func() error { return env.DetachPolicy(ctx, "p", c1) }, "cert c1"},
		{"the thing off the certificate", func() error { return env.DetachPrincipal(ctx, "lamp", "c1") }, "cert c1"},
		{"the thing gone", func() error { return env.DeleteThing(ctx, "lamp", nil) }, "thing lamp"},
		{"the certificate gone", func() error { return env.DeleteCertificate(ctx, "c1", false) }, "cert c1"},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := told.take(); got != step.want {
			t.Errorf("%s: told of %q, want %q", step.name, got, step.want)
		}
	}
}

func TestAUTH61ADeletedGroupTakesItsPoliciesAndThoseAboveAlong(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.group("all/north", "lamp")
	env.certificate("c1", muster.CertificateActive)
	env.policy("of-north", rights.PolicyTarget{Group: "north"})
	env.policy("of-all", rights.PolicyTarget{Group: "all"})
	if err := env.DeleteThingGroup(t.Context(), "north", nil); err != nil {
		t.Fatal(err)
	}
	for name, thing := range map[string]muster.ThingName{"lamp": "lamp", "nothing": ""} {
		found, err := env.EffectivePolicies(t.Context(), rights.PolicyTarget{Certificate: "c1"}, thing)
		if err != nil || len(found) != 0 {
			t.Errorf("as %s the policies are %v, %v; want none", name, found, err)
		}
	}
	if err := env.DeletePolicy(t.Context(), "of-north"); err != nil {
		t.Errorf("the policy of the deleted group: %v", err)
	}
	env.group("north")
	if list, err := env.AttachedPolicies(t.Context(), rights.PolicyTarget{Group: "north"}, false, listing.Page{}, false); err != nil || len(list.Policies) != 0 {
		t.Errorf("a new group of the name has %v, %v", list.Policies, err)
	}
}

func TestAUTH28ACertificateOfAnInactiveCAIsNotAdded(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	if _, err := env.AddCA(ctx, muster.CA{ID: "ca1", Subject: "s"}, nil); err != nil {
		t.Fatal(err)
	}
	add := func(ca muster.CertificateID) error {
		_, err := env.AddCertificate(ctx, muster.Certificate{ID: "c1", Status: muster.CertificateActive, CA: ca})
		return err
	}
	wantKind(t, "of an inactive CA", add("ca1"), muster.CertificateState)
	wantKind(t, "of an unknown CA", add("ca2"), muster.NotFound)
	if err := env.UpdateCA(ctx, "ca1", func(ca muster.CA) muster.CA { ca.Active = true; return ca }); err != nil {
		t.Fatal(err)
	}
	if err := add("ca1"); err != nil {
		t.Fatalf("of an active CA: %v", err)
	}
	wantKind(t, "again", add("ca1"), muster.AlreadyExists)
	wantKind(t, "NewCertificate", env.NewCertificate(ctx, "c1"), muster.AlreadyExists)
	if err := env.NewCertificate(ctx, "c2"); err != nil {
		t.Errorf("NewCertificate of an unknown one: %v", err)
	}
}

func TestPoliciesOfATargetArePagedByCreation(t *testing.T) {
	env := newEnv(t)
	env.certificate("c1", muster.CertificateActive)
	for _, name := range []string{"b", "c", "a"} {
		env.policy(name, rights.PolicyTarget{Certificate: "c1"})
		env.pass(1)
	}
	for ascending, want := range map[bool]string{true: "[b c a]", false: "[a c b]"} {
		var names []string
		page := listing.Page{Limit: 2}
		for range 2 {
			list, err := env.AttachedPolicies(t.Context(), rights.PolicyTarget{Certificate: "c1"}, false, page, ascending)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range list.Policies {
				names = append(names, p.Name)
			}
			page.Token = list.Next
		}
		if fmt.Sprint(names) != want || page.Token != "" {
			t.Errorf("ascending %v: listed %v with token %q after them, want %s", ascending, names, page.Token, want)
		}
	}
}
