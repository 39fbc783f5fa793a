package authz

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/rights"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store/memstore"
)

// world is a service with one thing, and an Authorizer that follows it.
type world struct {
	*service.Service
	a       *Authorizer
	t       *testing.T
	now     time.Time
	revoked chan string
	added   []muster.Certificate
}

// watcher tells the Authorizer of a world of changes of rights.
type watcher struct{ of *world }

func (w watcher) RightsChanged(c rights.Change) { w.of.a.Changed(c) }
func (watcher) Due()                            {}
func (watcher) Committed(int)                   {}
func (watcher) Told(muster.Instant)             {}
func (watcher) Recorded()                       {}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1_790_000_000, 0), revoked: make(chan string, 9)}
	account := muster.Account{ID: "123456789012", Region: "eu-west-1"}
	now := func() muster.Instant { return muster.At(w.now) }
	s := memstore.New()
	w.Service = service.New(service.Options{Store: s, Account: account, Now: now, Watcher: watcher{w}})
	w.a = New(Options{
		Principals: w.Rights, Account: account, Now: now, Grace: 24 * time.Hour,
		Revoked:    func(p string) { w.revoked <- p },
		Registered: func(c muster.Certificate) { w.added = append(w.added, c) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{}, 2)
	go func() { w.Run(ctx); stopped <- struct{}{} }()
	go func() { w.a.Run(ctx); stopped <- struct{}{} }()
	t.Cleanup(func() { cancel(); <-stopped; <-stopped; s.Close() })
	w.must(w.Registry.CreateThing(t.Context(), muster.Thing{Name: "lamp"}))
	return w
}

func (w *world) must(_ any, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ok(err error) { w.t.Helper(); w.must(nil, err) }

// device makes a certificate, registers it unless it has no status, and returns
// its DER and id.
func (w *world) device(cn string, status muster.CertificateStatus, notAfter time.Time, signer *authorityKey) ([]byte, muster.CertificateID) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.ok(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: cn, Organization: []string{"Acme"}},
		NotBefore: w.now.Add(-time.Hour), NotAfter: notAfter,
	}
	parent, signKey := template, key
	if signer != nil {
		parent, signKey = signer.certificate, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signKey)
	w.ok(err)
	sum := sha256.Sum256(der)
	id := muster.CertificateID(hex.EncodeToString(sum[:]))
	if status != 0 {
		w.must(w.Rights.AddCertificate(w.t.Context(), muster.Certificate{
			ID: id, PEM: pemOf(der), Status: status, NotBefore: muster.At(template.NotBefore), NotAfter: muster.At(notAfter),
		}))
	}
	return der, id
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

type authorityKey struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func (w *world) allow(name, document string, target rights.PolicyTarget) {
	w.t.Helper()
	w.must(w.Rights.CreatePolicy(w.t.Context(), name, document, nil))
	w.ok(w.Rights.AttachPolicy(w.t.Context(), name, target))
}

func (w *world) connect(der []byte, client string) (gateway.Grant, error) {
	return w.a.Connect(w.t.Context(), gateway.Connect{ClientID: client, Clean: true, Peer: gateway.Peer{Addr: "127.0.0.1:1", Certificate: der}})
}

// minimal is the device policy of identity-and-auth.md section B.6.
const minimal = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:eu-west-1:123456789012:client/${iot:Connection.Thing.ThingName}"},
 {"Effect":"Allow","Action":"iot:Publish","Resource":["arn:aws:iot:eu-west-1:123456789012:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"]},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":["arn:aws:iot:eu-west-1:123456789012:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"]},
 {"Effect":"Allow","Action":"iot:Receive","Resource":["arn:aws:iot:eu-west-1:123456789012:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"]},
 {"Effect":"Allow","Action":["iotjobsdata:DescribeJobExecution","iotjobsdata:GetPendingJobExecutions"],
  "Resource":["arn:aws:iot:eu-west-1:123456789012:thing/${iot:Connection.Thing.ThingName}"]}]}`

func TestAUTH42TheMinimalPolicyAllowsItsThingAndNobodyElse(t *testing.T) {
	w := newWorld(t)
	w.must(w.Registry.CreateThing(t.Context(), muster.Thing{Name: "pump"}))
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.ok(w.Rights.AttachPrincipal(t.Context(), "lamp", id, muster.Attachment{}))
	w.allow("minimal", minimal, rights.PolicyTarget{Certificate: id})

	lamp, err := w.connect(der, "lamp")
	if err != nil {
		t.Fatalf("connect as lamp: %v", err)
	}
	for _, test := range []struct {
		name string
		ok   bool
		got  error
	}{
		{"publish its own request", true, lamp.Publish("$aws/things/lamp/jobs/start-next", false)},
		{"publish another's request", false, lamp.Publish("$aws/things/pump/jobs/start-next", false)},
		{"retain", false, lamp.Publish("$aws/things/lamp/jobs/start-next", true)},
		{"subscribe to its jobs", true, lamp.Subscribe("$aws/things/lamp/jobs/+/get/+")},
		{"subscribe to everybody's", false, lamp.Subscribe("$aws/things/+/jobs/#")},
		{"share its jobs", true, lamp.Subscribe("$share/group/$aws/things/lamp/jobs/notify")},
	} {
		if (test.got == nil) != test.ok || (test.got != nil && !errors.Is(test.got, gateway.ErrRefused)) {
			t.Errorf("%s: %v, want ok %v", test.name, test.got, test.ok)
		}
	}
	if !lamp.Receive("$aws/things/lamp/jobs/notify") || lamp.Receive("$aws/things/pump/jobs/notify") {
		t.Error("Receive is not held to the thing")
	}
	if _, err := w.connect(der, "pump"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("connect as a thing it is not attached to: %v", err)
	}
	if _, err := w.connect(der, "gen123"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("connect with a made-up client id: %v", err)
	}
	https, err := w.a.Device(t.Context(), der, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := https.Act("iotjobsdata:GetPendingJobExecutions", "lamp"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("AUTH-42: the thing variable resolved over HTTPS: %v", err)
	}
}

func TestAUTH42AnExclusiveThingResolvesOverHTTPSToo(t *testing.T) {
	w := newWorld(t)
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.ok(w.Rights.AttachPrincipal(t.Context(), "lamp", id, muster.Attachment{Exclusive: true}))
	w.allow("minimal", minimal, rights.PolicyTarget{Certificate: id})
	d, err := w.a.Device(t.Context(), der, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Act("iotjobsdata:GetPendingJobExecutions", "lamp"); err != nil {
		t.Errorf("get pending: %v", err)
	}
	if err := d.Act("iotjobsdata:UpdateJobExecution", "lamp"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("an action that no statement names: %v", err)
	}
}

func TestAUTH17AUTH40WhoGetsIn(t *testing.T) {
	w := newWorld(t)
	const all = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`
	w.must(w.Rights.CreatePolicy(t.Context(), "all", all, nil))
	for _, test := range []struct {
		name     string
		status   muster.CertificateStatus
		notAfter time.Duration
		policy   bool
		ok       bool
	}{
		{"active, with a policy, without a thing", muster.CertificateActive, time.Hour, true, true},
		{"active, without a policy", muster.CertificateActive, time.Hour, false, false},
		{"inactive", muster.CertificateInactive, time.Hour, true, false},
		{"revoked", muster.CertificateRevoked, time.Hour, true, false},
		{"expired, in the grace", muster.CertificateActive, -23 * time.Hour, true, true},
		{"expired, after the grace", muster.CertificateActive, -25 * time.Hour, true, false},
		{"unknown", 0, time.Hour, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := w
			der, id := w.device("d", test.status, w.now.Add(test.notAfter), nil)
			if test.policy {
				w.ok(w.Rights.AttachPolicy(t.Context(), "all", rights.PolicyTarget{Certificate: id}))
			}
			_, err := w.connect(der, "anything")
			if (err == nil) != test.ok || (err != nil && !errors.Is(err, gateway.ErrRefused)) {
				t.Errorf("connect: %v, want ok %v", err, test.ok)
			}
		})
	}
	if _, err := w.connect(nil, "x"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("connect with no identity: %v", err)
	}
}

func TestRightsFollowTheRegistry(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.allow("p", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iot:Connect","iot:Publish"],"Resource":"*"}]}`, rights.PolicyTarget{Certificate: id})
	d, err := w.connect(der, "lamp")
	if err != nil {
		t.Fatal(err)
	}
	if d.Publish("a", false) != nil {
		t.Fatal("publish is refused at first")
	}
	until := d.(gateway.Bounded).Until
	if got, want := until(), w.now.Add(time.Hour).Add(w.a.o.Grace); !got.Equal(want) {
		t.Errorf("the connection must end at %v, want %v: expiry and grace (A5)", got, want)
	}
	w.must(w.Rights.CreatePolicyVersion(ctx, "p", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, true))
	eventually(t, "publish is refused under the new version", func() bool {
		return errors.Is(d.Publish("a", false), gateway.ErrRefused)
	})
	w.ok(w.Rights.UpdateCertificate(ctx, id, muster.CertificateInactive))
	eventually(t, "the principal is revoked", func() bool { return len(w.revoked) > 0 })
	if got := <-w.revoked; got != string(id) {
		t.Errorf("revoked %s, want %s", got, id)
	}
	if at := until(); !at.Before(w.now) {
		t.Errorf("with an inactive certificate the connection may go on until %v", at)
	}
}

// eventually waits until Run has made a condition true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 10_000 {
		if is() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("it never came true that %s", what)
}

// meddler has something happen right after a look-up.
type meddler struct {
	Principals
	then func()
}

func (m *meddler) Grounds(ctx context.Context, id muster.CertificateID, clientID string) (rights.Grounds, error) {
	g, err := m.Principals.Grounds(ctx, id, clientID)
	if then := m.then; then != nil {
		m.then = nil
		then()
	}
	return g, err
}

func TestAChangeDuringAConnectIsNotLost(t *testing.T) {
	w := newWorld(t)
	der, id := w.device("d", muster.CertificateActive, w.now.Add(time.Hour), nil)
	w.allow("all", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}`, rights.PolicyTarget{Certificate: id})
	m := &meddler{Principals: w.Rights}
	w.a.o.Principals = m
	m.then = func() {
		w.ok(w.Rights.UpdateCertificate(t.Context(), id, muster.CertificateInactive))
		for len(w.a.changes) > 0 {
			time.Sleep(time.Millisecond) // until Run has handled it
		}
	}
	if _, err := w.connect(der, "lamp"); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("connect, deactivated between the look-up and the answer: %v, want it refused", err)
	}
}

func TestAUTH34ACertificateOfARegisteredCARegistersItself(t *testing.T) {
	w := newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.ok(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Acme CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: w.now.Add(-time.Hour), NotAfter: w.now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	w.ok(err)
	ca, err := x509.ParseCertificate(der)
	w.ok(err)
	w.must(w.Rights.AddCA(t.Context(), muster.CA{
		ID: "ca1", PEM: pemOf(der),
		Subject: hex.EncodeToString(ca.RawSubject), Active: true, AutoRegistration: true,
	}, nil))

	leaf, id := w.device("new", 0, w.now.Add(time.Hour), &authorityKey{ca, key})
	for range 2 {
		if _, err := w.connect(leaf, "new"); !errors.Is(err, gateway.ErrRefused) {
			t.Fatalf("connect: %v", err)
		}
	}
	c, err := w.Rights.Certificate(t.Context(), id)
	if err != nil || c.Status != muster.CertificatePendingActivation || c.CA != "ca1" {
		t.Fatalf("the certificate is %+v, %v; want it PENDING_ACTIVATION under ca1", c, err)
	}
	if len(w.added) != 1 || w.added[0].ID != id {
		t.Errorf("told of %+v, want one registration", w.added)
	}
	w.device("stranger", 0, w.now.Add(time.Hour), nil)
}
