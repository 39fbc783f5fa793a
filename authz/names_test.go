package authz

import (
	"errors"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/rights"
)

// byName allows what a certificate's names say.
const byName = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish",
 "Resource":"arn:aws:iot:*:*:topic/of/${iot:Certificate.Subject.CommonName}",
 "Condition":{"StringEquals":{"iot:Certificate.SerialNumber":"7"}}}}`

// TestAUTH58NamesOfACertificateAreKnownToEveryPolicyThatAsks changes policies while a
// device is connected: the names are read again whenever a policy begins to ask for them.
func TestAUTH58NamesOfACertificateAreKnownToEveryPolicyThatAsks(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	der, id := w.device("pump-7", muster.CertificateActive, w.now.Add(time.Hour), nil)
	own := rights.PolicyTarget{Certificate: id}
	w.allow("connect", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}`, own)
	w.must(w.Rights.CreatePolicy(ctx, "names", byName, nil))
	d, err := w.connect(der, "hub")
	w.ok(err)
	for _, step := range []struct {
		what string
		do   func() error
		want bool
	}{
		{"a policy that asks, attached after the device connected", func() error { return w.Rights.AttachPolicy(ctx, "names", own) }, true},
		{"a version that does not ask", func() error {
			_, err := w.Rights.CreatePolicyVersion(ctx, "names", minimal, true)
			return err
		}, false},
		{"the version that asks again", func() error { return w.Rights.SetDefaultPolicyVersion(ctx, "names", "1") }, true},
		{"the certificate inactive", func() error { return w.Rights.UpdateCertificate(ctx, id, muster.CertificateInactive) }, false},
		{"and active again", func() error { return w.Rights.UpdateCertificate(ctx, id, muster.CertificateActive) }, true},
		{"the policy detached", func() error { return w.Rights.DetachPolicy(ctx, "names", own) }, false},
	} {
		w.ok(step.do())
		w.until(step.what, step.want, func() bool { return d.Publish("of/pump-7", false) == nil })
	}
	w.ok(w.Rights.AttachPolicy(ctx, "names", own))
	if err := d.Publish("of/pump-8", false); err == nil {
		t.Error("another name is allowed")
	}
	https, err := w.a.Device(ctx, der, "127.0.0.1:1")
	w.ok(err)
	if err := https.Permits("iot:Publish", "topic/of/pump-7"); err != nil {
		t.Errorf("over HTTPS: %v", err)
	}
}

// TestARotatedCertificateHasItsOwnNames connects with a certificate and then with its
// successor, which is attached to the same thing and has another name.
func TestARotatedCertificateHasItsOwnNames(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.Rights.CreatePolicy(ctx, "connect", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}`, nil))
	w.must(w.Rights.CreatePolicy(ctx, "names", byName, nil))
	grants := map[string]gateway.Grant{}
	for _, name := range []string{"first", "second"} {
		der, id := w.device(name, muster.CertificateActive, w.now.Add(time.Hour), nil)
		w.ok(w.Rights.AttachPrincipal(ctx, "lamp", id, muster.Attachment{}))
		for _, policy := range []string{"connect", "names"} {
			w.ok(w.Rights.AttachPolicy(ctx, policy, rights.PolicyTarget{Certificate: id}))
		}
		d, err := w.connect(der, "lamp")
		w.ok(err)
		grants[name] = d
	}
	for name, d := range grants {
		for other := range grants {
			if err := d.Publish("of/"+other, false); (err == nil) != (name == other) {
				t.Errorf("with the certificate %s, on the topic of %s: %v", name, other, err)
			}
		}
	}
}

// TestACertificateWithoutReadableNamesHasNoRights stores what only a damaged record can
// hold. A Deny for one name would otherwise not apply to it.
func TestACertificateWithoutReadableNamesHasNoRights(t *testing.T) {
	for text, want := range map[string]string{
		"-":                         "not PEM",
		pemOf([]byte("unreadable")): "x509",
	} {
		w := newWorld(t)
		ctx := t.Context()
		der, id := w.device("pump-7", 0, w.now.Add(time.Hour), nil)
		w.must(w.Rights.AddCertificate(ctx, muster.Certificate{
			ID: id, PEM: text, Status: muster.CertificateActive, NotBefore: muster.At(w.now), NotAfter: muster.At(w.now.Add(time.Hour)),
		}))
		own := rights.PolicyTarget{Certificate: id}
		w.allow("open", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`, own)
		d, err := w.connect(der, "hub")
		w.ok(err) // no policy asks
		w.allow("names", byName, own)
		w.until("a policy that asks", false, func() bool { return d.Receive("any") })
		if _, err := w.connect(der, "hub"); !errors.Is(err, gateway.ErrRefused) {
			t.Errorf("CONNECT: %v, want %s", err, want)
		}
	}
}
