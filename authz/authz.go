// Package authz decides what a device may do now: it takes the certificate or
// access key that a listener has verified, looks up its registration, thing and
// policies, and decides by the policies in force (identity-and-auth.md parts A and
// B). It serves both the MQTT gateway and the device HTTPS listener. It never
// authenticates anybody, and never opens a socket or a file.
//
// The rights of an open connection follow every change. The writer of a change
// calls Changed after its commit; Run then looks up the rights of the live
// connections that the change may concern. A look-up that a change may have
// overtaken is recognised by the generation, a counter of changes: it is read
// before the look-up and compared afterwards.
package authz

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/internal/loglimit"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/rights"
)

// Principals says who the holder of a certificate is and which policies are in
// force for it. *rights.Rights implements it. Its methods may be called by many
// goroutines.
type Principals interface {
	// Grounds returns what the rights of one connection rest on; clientID is
	// empty for device HTTPS. An unknown certificate is no error.
	Grounds(ctx context.Context, id muster.CertificateID, clientID string) (rights.Grounds, error)
	// CAsOf returns the registered CAs with a subject: its DER in hex.
	CAsOf(ctx context.Context, subject string) ([]muster.CA, error)
	// AddCertificate stores a certificate that registers itself.
	AddCertificate(ctx context.Context, c muster.Certificate) (muster.Certificate, error)
}

// Options are the parts of an Authorizer. Principals, Account and Now are
// required.
type Options struct {
	Principals Principals
	Account    muster.Account
	Now        func() muster.Instant
	// Grace is how long a certificate is still accepted after it expired, and how
	// long before it becomes valid (arbitration A5). Negative accepts any.
	Grace time.Duration
	// Keys finds the holder of an access key, for WebSocket connections and for
	// Explain. Nil refuses such connections.
	Keys func(accessKeyID string) (identity.Caller, error)
	// Anonymous admits plain TCP connections, which have no identity, with all
	// rights: for a listener on loopback. Off, they are refused.
	Anonymous bool
	// Revoked is called with the principal of a live connection whose certificate
	// is no longer active, so that it can be disconnected (AUTH-31). Nil is
	// allowed.
	Revoked func(principal string)
	// Registered is called with a certificate that registered itself by its first
	// connection (AUTH-34). Nil is allowed.
	Registered func(muster.Certificate)
	// Refused is called with each refusal, and Allowed with the first action of a
	// kind that is permitted on a connection, and again after one that was refused.
	// Both must be quick, and Allowed must not keep the Device. Nil is allowed.
	Refused func(Refusal)
	Allowed func(d *Device, action, resource string)
	// Log gets refusals, with the statement that decided. Nil discards.
	Log *slog.Logger
}

// Authorizer decides which connections are admitted and what each may do; it is a
// gateway.Authorizer. Make it with New and keep Run running.
type Authorizer struct {
	o          Options
	policies   policyCache
	live       liveDevices
	changes    chan rights.Change // not yet handled by Run
	recent     recentDevices
	generation atomic.Uint64 // calls of Changed so far
	refused    *loglimit.Limiter
}

// Log lines a minute about refusals by policies: for one principal, and for all.
const (
	refusedLines    = 30
	refusedLinesAll = 600
)

// changesMax bounds the changes that wait for Run. When more come at once, the
// rights of all live connections are looked up again.
const changesMax = 1024

// New returns an Authorizer on o.
func New(o Options) *Authorizer {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Revoked == nil {
		o.Revoked = func(string) {}
	}
	if o.Registered == nil {
		o.Registered = func(muster.Certificate) {}
	}
	if o.Refused == nil {
		o.Refused = func(Refusal) {}
	}
	if o.Allowed == nil {
		o.Allowed = func(*Device, string, string) {}
	}
	a := &Authorizer{o: o, changes: make(chan rights.Change, changesMax), refused: loglimit.New(refusedLines, refusedLinesAll)}
	a.policies.init()
	a.live.init()
	a.recent.found = map[visitor]recentDevice{}
	return a
}

// Connect decides whether a connection is admitted, and returns what it may do. It
// fails with an error that wraps gateway.ErrRefused, or with another one when the
// rights could not be looked up.
func (a *Authorizer) Connect(ctx context.Context, c gateway.Connect) (gateway.Grant, error) {
	switch {
	case c.Peer.Certificate != nil:
		return a.connectDevice(ctx, c)
	case c.Peer.Principal != "":
		return a.connectCaller(c)
	case a.o.Anonymous && c.Peer.Transport == "tcp":
		return anonymous{}, nil
	}
	return nil, a.refuse(Refusal{ClientID: c.ClientID, Action: iotpolicy.Connect, Resource: "client/" + c.ClientID, Why: "a connection without identity"})
}

func (a *Authorizer) connectDevice(ctx context.Context, c gateway.Connect) (gateway.Grant, error) {
	generation := a.generation.Load()
	d, err := a.identify(ctx, c.Peer.Certificate, c.ClientID, c.Peer.Addr, "client/"+c.ClientID)
	if err != nil {
		return nil, err
	}
	a.live.add(d)
	if thing := d.Thing(); a.generation.Load() != generation { // a change after the look-up may have missed d in a.live
		if _, err := d.refresh(ctx); err != nil {
			return nil, fmt.Errorf("look up certificate %s: %w", d.id, err)
		}
		if d.Thing() != thing {
			a.live.moved(d)
		}
	}
	if err := d.connect(c); err != nil {
		return nil, err
	}
	return d, nil
}

// Device identifies the caller of the device HTTPS listener by its certificate.
// It fails with an error that wraps gateway.ErrRefused when the certificate
// gives no access.
func (a *Authorizer) Device(ctx context.Context, certificate []byte, addr string) (*Device, error) {
	v, generation, now := visitor{ca.ID(certificate), hostport.Host(addr)}, a.generation.Load(), a.o.Now()
	if d := a.recent.get(v, generation, now); d != nil {
		return d, nil
	}
	d, err := a.identify(ctx, certificate, "", addr, overHTTPS)
	if err != nil {
		return nil, err
	}
	d.https = &following{generation: generation}
	d.https.life, d.https.end = context.WithCancel(context.Background())
	a.recent.put(v, d, generation, now)
	return d, nil
}

// identify looks up the rights of a certificate's holder. It refuses a certificate
// that is unknown or not in force, as an attempt to connect to a resource.
func (a *Authorizer) identify(ctx context.Context, der []byte, clientID, addr, resource string) (*Device, error) {
	d := &Device{a: a, id: ca.ID(der), clientID: clientID, address: hostport.Host(addr)}
	known, err := d.refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up certificate %s: %w", d.id, err)
	}
	if !known {
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, d.refuse(Refusal{Action: iotpolicy.Connect, Resource: resource, Why: "a certificate that cannot be read"})
		}
		a.registerItself(ctx, d.id, leaf)
		return nil, d.refuse(Refusal{Action: iotpolicy.Connect, Resource: resource, Why: "an unknown certificate"})
	}
	if r := d.rights.Load(); !r.active {
		return nil, d.refuse(Refusal{Action: iotpolicy.Connect, Resource: resource, Why: "a certificate that is " + r.why})
	}
	return d, nil
}

// Changed says whose rights may be different now. It never waits, as
// rights.Watcher requires.
func (a *Authorizer) Changed(c rights.Change) {
	a.generation.Add(1)
	select {
	case a.changes <- c:
	default:
		a.live.overflow.Store(true)
	}
}

// Run updates the rights of live connections after each change, until ctx ends.
func (a *Authorizer) Run(ctx context.Context) {
	for {
		select {
		case c := <-a.changes:
			if a.live.overflow.Swap(false) {
				c.All = true
			}
			for _, d := range a.live.affected(c) {
				a.renew(ctx, d)
			}
		case <-ctx.Done():
			return
		}
	}
}

// renew looks up the rights of a live connection again, and has it disconnected
// when its certificate is no longer in force.
func (a *Authorizer) renew(ctx context.Context, d *Device) {
	was := d.rights.Load()
	if _, err := d.refresh(ctx); err != nil {
		if ctx.Err() == nil {
			a.o.Log.Error("rights could not be looked up again; the old ones stand", "principal", d.id, "error", err)
		}
		return
	}
	is := d.rights.Load()
	if was.active && !is.active {
		if d.https != nil {
			d.https.end()
		}
		a.o.Revoked(d.Principal())
	}
	if was.thing != is.thing {
		a.live.moved(d)
	}
}

// connectCaller admits the holder of an access key.
func (a *Authorizer) connectCaller(c gateway.Connect) (gateway.Grant, error) {
	unknown := Refusal{Principal: c.Peer.Principal, ClientID: c.ClientID, Action: iotpolicy.Connect, Resource: "client/" + c.ClientID, Why: "an unknown access key"}
	if a.o.Keys == nil {
		unknown.Why = "access keys are not accepted"
		return nil, a.refuse(unknown)
	}
	caller, err := a.o.Keys(c.Peer.Principal)
	if err != nil {
		return nil, a.refuse(unknown)
	}
	k := keyHolder{a: a, caller: caller, clientID: c.ClientID, address: hostport.Host(c.Peer.Addr)}
	return k, k.may(iotpolicy.Connect, "client/"+c.ClientID)
}

// logRefused logs that the policies of a principal refuse something. Refusals are what operators debug most, so they are
// warnings; the number of lines is bounded because a device that is refused tries again and again.
func (a *Authorizer) logRefused(text, principal string, attrs ...any) {
	if left, ok := a.refused.Take(principal, a.o.Now().Time()); ok {
		a.o.Log.Warn(text, append(attrs, "principal", principal, loglimit.LeftOut(left))...)
	}
}
