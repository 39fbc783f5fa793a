package service

import (
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/rights"
)

func (env *env) certificate(id string, status muster.CertificateStatus) {
	env.t.Helper()
	if _, err := env.AddCertificate(env.t.Context(), muster.Certificate{ID: muster.CertificateID(id), PEM: "pem", Status: status}); err != nil {
		env.t.Fatalf("AddCertificate(%s): %v", id, err)
	}
}

func (env *env) policy(name string, targets ...rights.PolicyTarget) {
	env.t.Helper()
	if _, err := env.CreatePolicy(env.t.Context(), name, `{"name":"`+name+`"}`, nil); err != nil {
		env.t.Fatalf("CreatePolicy(%s): %v", name, err)
	}
	for _, target := range targets {
		if err := env.AttachPolicy(env.t.Context(), name, target); err != nil {
			env.t.Fatalf("AttachPolicy(%s, %+v): %v", name, target, err)
		}
	}
}

func TestAUTH32ACertificateIsDeletedOnlyWhenNothingNeedsIt(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.thing("lamp")
	env.certificate("c1", muster.CertificateActive)
	env.policy("p", rights.PolicyTarget{Certificate: "c1"})
	if err := env.AttachPrincipal(ctx, "lamp", "c1", muster.Attachment{}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "delete while ACTIVE", env.DeleteCertificate(ctx, "c1", true), muster.CertificateState)
	if err := env.UpdateCertificate(ctx, "c1", muster.CertificateInactive); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "delete while attached to a thing", env.DeleteCertificate(ctx, "c1", true), muster.DeleteConflict)
	if err := env.DetachPrincipal(ctx, "lamp", "c1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "delete with a policy", env.DeleteCertificate(ctx, "c1", false), muster.DeleteConflict)
	if err := env.DeleteCertificate(ctx, "c1", true); err != nil {
		t.Fatalf("delete by force: %v", err)
	}
	_, err := env.Certificate(ctx, "c1")
	wantKind(t, "Certificate after deletion", err, muster.NotFound)
	if list, err := env.TargetsOfPolicy(ctx, "p", false, listing.Page{}); err != nil || len(list.ARNs) != 0 {
		t.Errorf("the policy is still attached to %v, %v", list.ARNs, err)
	}
}

func TestCertificatesAreListedByCreationInBothDirections(t *testing.T) {
	env := newEnv(t)
	for _, id := range []string{"c1", "c2", "c3"} {
		env.certificate(id, muster.CertificateActive)
		env.pass(1)
	}
	for _, test := range []struct {
		ascending bool
		want      string
	}{{false, "c3c2c1"}, {true, "c1c2c3"}} {
		got, token := "", ""
		for range 3 {
			list, err := env.Certificates(t.Context(), listing.Page{Limit: 1, Token: token}, test.ascending)
			if err != nil || len(list.Certificates) != 1 {
				t.Fatalf("Certificates = %+v, %v", list, err)
			}
			got, token = got+string(list.Certificates[0].ID), list.Next
		}
		if got != test.want || token != "" {
			t.Errorf("ascending %v: listed %s with token %q after them, want %s", test.ascending, got, token, test.want)
		}
	}
	list, err := env.Certificates(t.Context(), listing.Page{Limit: 1}, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = env.Certificates(t.Context(), listing.Page{Limit: 1, Token: list.Next}, true)
	wantKind(t, "the token of the other direction", err, muster.Invalid)
}

func TestAUTH41WhichThingAConnectionIs(t *testing.T) {
	env := newEnv(t)
	ctx := t.Context()
	env.thing("lamp", "pump")
	env.certificate("shared", muster.CertificateActive)
	env.certificate("own", muster.CertificateActive)
	for _, thing := range []muster.ThingName{"lamp", "pump"} {
		if err := env.AttachPrincipal(ctx, thing, "shared", muster.Attachment{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := env.AttachPrincipal(ctx, "pump", "own", muster.Attachment{Exclusive: true}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a second thing for an exclusive certificate", env.AttachPrincipal(ctx, "lamp", "own", muster.Attachment{}), muster.Invalid)
	wantKind(t, "exclusiveness for a shared one", env.AttachPrincipal(ctx, "lamp", "shared", muster.Attachment{Exclusive: true}), muster.Invalid)
	for _, test := range []struct{ certificate, client, want string }{
		{"shared", "lamp", "lamp"}, {"shared", "pump", "pump"}, {"shared", "other", ""}, {"shared", "", ""}, {"shared", "a/b", ""},
		{"own", "whatever", "pump"}, {"own", "", "pump"}, {"own", "pump", "pump"}, {"own", "lamp", "pump"}, {"unknown", "lamp", ""},
	} {
		g, err := env.Grounds(ctx, muster.CertificateID(test.certificate), test.client)
		got := ""
		if g.Thing != nil {
			got = string(g.Thing.Name)
		}
		if err != nil || got != test.want || (g.Certificate == nil) != (test.certificate == "unknown") || g.Exclusive != (test.certificate == "own") {
			t.Errorf("Grounds(%s, %q) = %+v, %v; want thing %q", test.certificate, test.client, g, err, test.want)
		}
	}
}

func TestAUTH61EffectivePolicies(t *testing.T) {
	env := newEnv(t)
	env.thing("lamp")
	env.group("all")
	env.group("all/north", "lamp")
	env.certificate("c1", muster.CertificateActive)
	env.policy("own", rights.PolicyTarget{Certificate: "c1"})
	env.policy("of-north", rights.PolicyTarget{Group: "north"})
	env.policy("of-all", rights.PolicyTarget{Group: "all"}, rights.PolicyTarget{Certificate: "c1"})
	env.policy("nobody's")
	names := func(thing muster.ThingName) string {
		found, err := env.EffectivePolicies(t.Context(), rights.PolicyTarget{Certificate: "c1"}, thing)
		if err != nil {
			t.Fatal(err)
		}
		s := ""
		for _, p := range found {
			s += p.Name + " "
		}
		return s
	}
	if got, want := names("lamp"), "of-all of-north own "; got != want {
		t.Errorf("as lamp: %s, want %s", got, want)
	}
	if got, want := names(""), "of-all own "; got != want {
		t.Errorf("as no thing: %s, want %s", got, want)
	}
	list, err := env.AttachedPolicies(t.Context(), rights.PolicyTarget{Group: "north"}, true, listing.Page{}, false)
	if err != nil || len(list.Policies) != 2 {
		t.Errorf("attached to north, recursively: %+v, %v", list.Policies, err)
	}
}

func TestPoliciesPerTargetAreLimited(t *testing.T) {
	env := newEnv(t)
	env.group("north")
	env.policy("a", rights.PolicyTarget{Group: "north"})
	env.policy("b", rights.PolicyTarget{Group: "north"})
	env.policy("c")
	wantKind(t, "a third policy of a group", env.AttachPolicy(t.Context(), "c", rights.PolicyTarget{Group: "north"}), muster.LimitExceeded)
	if err := env.AttachPolicy(t.Context(), "a", rights.PolicyTarget{Group: "north"}); err != nil {
		t.Errorf("attaching again: %v", err)
	}
	wantKind(t, "deleting an attached policy", env.DeletePolicy(t.Context(), "a"), muster.DeleteConflict)
	_, err := env.CreatePolicy(t.Context(), "a", "{}", nil)
	wantKind(t, "creating it again", err, muster.AlreadyExists)
}
