package authz

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/iotpolicy"
)

// Device is what the holder of a certificate may do on one connection, or in
// one HTTPS request. Its methods decide by the rights that were looked up last,
// without a look-up of their own; Authorizer.Run replaces those of live
// connections as they change.
type Device struct {
	a        *Authorizer
	id       muster.CertificateID
	clientID string // "" over HTTPS
	address  string
	https    *following // nil over MQTT
	renewal  sync.Mutex // held from a look-up until rights are replaced, so that an older look-up cannot replace a newer one
	rights   atomic.Pointer[standing]
	allowed  atomic.Uint32 // bits of kindOf: Options.Allowed was told of such an action, and none was refused since
}

// following is what it takes to end what goes on after a request of a device over HTTPS.
type following struct {
	generation uint64 // that of Authorizer before the device was looked up
	life       context.Context
	end        context.CancelFunc // of life
	begun      sync.Once
}

var _ gateway.Bounded = (*Device)(nil)

// standing is what a device's decisions rest on. It is immutable.
type standing struct {
	active    bool
	why       string    // when not active: the status, "deleted", "unreadable", or how the certificate is out of its time
	until     time.Time // while active: when the certificate expires, grace included; zero for never
	set       iotpolicy.Set
	thing     muster.ThingName
	exclusive bool
	attached  []muster.ThingName // that the certificate is attached to: thing, or some if that is ""
	vars      iotpolicy.Vars     // (*standing).variable
	of        *Device
	shown     *muster.Thing     // what variables show of thing; nil without one
	leaf      *x509.Certificate // the names in the certificate; nil if no policy asks for them
}

// deleted is why a certificate gives no access that is not known, or not any more.
const deleted = "deleted"

// variable is an iotpolicy.Vars.
func (r *standing) variable(key string) ([]string, bool) {
	return identity.Device{Certificate: r.of.id, Leaf: r.leaf, ClientID: r.of.clientID, Address: r.of.address, Thing: r.shown}.Vars(key)
}

// refresh looks up the rights and replaces the old ones. It reports whether the
// certificate is known; an unknown one has no rights.
func (d *Device) refresh(ctx context.Context) (bool, error) {
	d.renewal.Lock()
	defer d.renewal.Unlock()
	g, err := d.a.o.Principals.Grounds(ctx, d.id, d.clientID)
	if err != nil {
		return false, err
	}
	r := &standing{of: d}
	if g.Certificate == nil {
		r.why = deleted
		d.rights.Store(r)
		return false, nil
	}
	r.active, r.why = inForce(*g.Certificate, d.a.o.Now(), d.a.o.Grace)
	if d.a.o.Grace >= 0 {
		r.until = g.Certificate.NotAfter.Time().Add(d.a.o.Grace)
	}
	r.set, r.attached = d.a.compile(g), g.Attached
	if g.Thing != nil {
		r.thing, r.exclusive = g.Thing.Name, g.Exclusive
		r.shown = &muster.Thing{Name: g.Thing.Name, Type: g.Thing.Type, Attributes: g.Thing.Attributes}
	}
	// A parsed certificate takes more memory than all else here, so it is there only for
	// policies that ask for it.
	if r.active && r.set.AsksCertificate() {
		if r.leaf, err = named(g.Certificate.PEM); err != nil {
			r.active, r.why = false, "unreadable: "+err.Error()
		}
	}
	r.vars = r.variable
	d.rights.Store(r)
	return true, nil
}

// Life ends when the certificate of a device over HTTPS is no longer in force,
// provided that d is referenced until then. It is for what goes on after a
// request was permitted: a long poll.
func (d *Device) Life() context.Context {
	d.https.begun.Do(func() {
		d.a.live.add(d)
		if d.a.generation.Load() != d.https.generation { // changes that may not have found d
			d.a.renew(context.Background(), d)
		}
	})
	return d.https.life
}

// named reads a certificate in PEM and returns the parts that policy variables show, so
// that a connection does not keep the rest in memory.
func named(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: leaf.SerialNumber, Subject: leaf.Subject, Issuer: leaf.Issuer,
		EmailAddresses: leaf.EmailAddresses, DNSNames: leaf.DNSNames, URIs: leaf.URIs, IPAddresses: leaf.IPAddresses,
	}, nil
}

// inForce reports whether a certificate gives access at the instant now, and why
// not.
func inForce(c muster.Certificate, now muster.Instant, grace time.Duration) (bool, string) {
	if c.Status != muster.CertificateActive {
		return false, c.Status.String()
	}
	if err := ca.CheckValidity(c.NotBefore.Time(), c.NotAfter.Time(), now.Time(), grace); err != nil {
		return false, "out of its time: " + err.Error()
	}
	return true, ""
}

// Principal is the certificate id.
func (d *Device) Principal() string { return string(d.id) }

// Until returns when the certificate stops giving access, zero for never
// (arbitration A5). It is in the past once the certificate is no longer active.
func (d *Device) Until() time.Time {
	r := d.rights.Load()
	if !r.active {
		return time.Unix(0, 0)
	}
	return r.until
}

// Thing returns the thing that the connection acts as, or "" (AUTH-41).
func (d *Device) Thing() muster.ThingName { return d.rights.Load().thing }

// Attached returns the things that the certificate is attached to: Thing if there
// is one, and otherwise at most ten. It may not be changed.
func (d *Device) Attached() []muster.ThingName { return d.rights.Load().attached }

// ClientID returns the client id of the connection, "" over HTTPS.
func (d *Device) ClientID() string { return d.clientID }

// Exclusive reports whether the certificate can be attached to that thing only.
func (d *Device) Exclusive() bool { return d.rights.Load().exclusive }

// Publish answers for iot:Publish, and iot:RetainPublish if retain is set.
func (d *Device) Publish(topic string, retain bool) error {
	if err := d.Permits(iotpolicy.Publish, "topic/"+topic); err != nil || !retain {
		return err
	}
	return d.Permits(iotpolicy.RetainPublish, "topic/"+topic)
}

// Subscribe answers for iot:Subscribe on a filter. Policies hold for a shared
// subscription by its whole text and by the filter after the share prefix.
func (d *Device) Subscribe(filter string) error {
	return d.Permits(iotpolicy.Subscribe, "topicfilter/"+filter)
}

// Receive answers for iot:Receive.
func (d *Device) Receive(topic string) bool {
	r := d.rights.Load()
	if !r.active {
		return false // the connection is about to end
	}
	resource := "topic/" + topic
	decision := r.decide(iotpolicy.Receive, d.a.o.Account.Named(resource))
	if !decision.Allowed() {
		return d.refuse(Refusal{Action: iotpolicy.Receive, Resource: resource, Decision: decision}) == nil
	}
	d.permit(iotpolicy.Receive, resource)
	return true
}

// Act answers for one operation of the device HTTPS listener on a thing
// (identity-and-auth.md section B.5).
func (d *Device) Act(action string, thing muster.ThingName) error {
	return d.Permits(action, "thing/"+string(thing))
}

// connect answers for iot:Connect, with the facts of the CONNECT packet.
func (d *Device) connect(c gateway.Connect) error {
	var set []string
	if !c.Clean || c.Expiry > 0 {
		set = append(set, "PersistentConnect")
	}
	if c.Will != nil {
		set = append(set, "LastWill")
	}
	r := *d.rights.Load()
	vars := r.vars
	r.vars = func(key string) ([]string, bool) {
		switch {
		case key == iotpolicy.ConnectAttributes:
			return set, len(set) > 0
		case key == iotpolicy.LastWillTopic && c.Will != nil:
			return []string{c.Will.Topic}, true
		case key == iotpolicy.DomainName && c.Peer.ServerName != "":
			return []string{c.Peer.ServerName}, true
		}
		return vars(key)
	}
	return d.judge(&r, iotpolicy.Connect, "client/"+c.ClientID)
}

// Permits answers for any action on a resource such as "topic/lamp/on".
func (d *Device) Permits(action, resource string) error {
	return d.judge(d.rights.Load(), action, resource)
}

// judge decides and logs the statement that decided: refusals as warnings, the
// rest at debug level.
func (d *Device) judge(r *standing, action, resource string) error {
	if !r.active {
		return d.refuse(Refusal{Action: action, Resource: resource, Why: "a certificate that is " + r.why})
	}
	arn := d.a.o.Account.Named(resource)
	decision := r.decide(action, arn)
	if !decision.Allowed() {
		d.a.logRefused("device refused", string(d.id), "client", d.clientID, "thing", r.thing,
			"action", action, "resource", arn, "decision", decision)
		return d.refuse(Refusal{Action: action, Resource: resource, Decision: decision})
	}
	d.permit(action, resource)
	if log, ctx := d.a.o.Log, context.Background(); log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, "device allowed", "principal", d.id, "client", d.clientID, "thing", r.thing,
			"action", action, "resource", arn, "decision", decision)
	}
	return nil
}

func (r *standing) decide(action, arn string) iotpolicy.Decision {
	return r.set.Decide(iotpolicy.Request{Action: action, Resource: arn, Vars: r.vars})
}
