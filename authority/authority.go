// Package authority answers what a device may do: it takes the certificate or
// access key that a front door has proven, finds what its rights rest on in the
// registry, and decides by the policies in force (identity-and-auth.md parts A
// and B). It serves the MQTT gateway and the device HTTPS listener alike. It
// never authenticates anybody, and never opens a socket or a file.
package authority

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/engine"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/identity/ca"
	"github.com/muster-iot/muster/internal/hostport"
	"github.com/muster-iot/muster/internal/loglimit"
	"github.com/muster-iot/muster/iotpolicy"
)

// Registry is where rights rest; *engine.Engine is one.
type Registry interface {
	Grounds(ctx context.Context, id muster.CertificateID, clientID string) (engine.Grounds, error)
	CAsOf(ctx context.Context, subject string) ([]muster.CA, error)
	AddCertificate(ctx context.Context, c muster.Certificate) (muster.Certificate, error)
}

// Options are the parts of an Authorizer. Registry, Account and Now are
// required.
type Options struct {
	Registry Registry
	Account  muster.Account
	Now      func() muster.Instant
	// Grace is how long a certificate is still accepted after it expired, and
	// before it becomes valid (arbitration A5). Negative accepts any.
	Grace time.Duration
	// Keys finds the holder of an access key, for WebSocket connections and for
	// Explain. Nil refuses the former.
	Keys func(accessKeyID string) (identity.Caller, error)
	// Anonymous lets plain TCP connections in, which prove nothing, with all
	// rights: for a listener on loopback. Off, they are refused.
	Anonymous bool
	// Revoked is told the principal of a live connection whose certificate is
	// no longer active, so that it can be disconnected (AUTH-31). Nil is
	// allowed.
	Revoked func(principal string)
	// Registered is told of a certificate that registered itself by its first
	// connection (AUTH-34). Nil is allowed.
	Registered func(muster.Certificate)
	// Log takes each refusal with the statement that decided. Nil discards.
	Log *slog.Logger
}

// Authorizer decides who comes in; it is a gateway.Authorizer. Make it with New
// and keep Run running.
type Authorizer struct {
	o        Options
	policies policyCache
	live     liveDevices
	changes  chan engine.AccessChange
	recent   recentDevices
	noted    atomic.Uint64 // changes so far
	refused  *loglimit.Limiter
}

// Lines a minute about what policies refuse: for one principal, and for all.
const (
	refusedLines    = 30
	refusedLinesAll = 600
)

// changesMax bounds the changes that wait for Run. When more come at once, all
// live connections are looked at again.
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
	a := &Authorizer{o: o, changes: make(chan engine.AccessChange, changesMax), refused: loglimit.New(refusedLines, refusedLinesAll)}
	a.policies.init()
	a.live.init()
	a.recent.found = map[visitor]recentDevice{}
	return a
}

// Connect decides whether a connection may come in at all, and returns what it
// may do then.
func (a *Authorizer) Connect(ctx context.Context, c gateway.Connect) (gateway.Authority, error) {
	switch {
	case c.Peer.Certificate != nil:
		return a.connectDevice(ctx, c)
	case c.Peer.Principal != "":
		return a.connectCaller(c)
	case a.o.Anonymous && c.Peer.Transport == "tcp":
		return anonymous{}, nil
	}
	return nil, refusal("a connection without identity")
}

func (a *Authorizer) connectDevice(ctx context.Context, c gateway.Connect) (gateway.Authority, error) {
	noted := a.noted.Load()
	d, err := a.identify(ctx, c.Peer.Certificate, c.ClientID, c.Peer.Addr)
	if err != nil {
		return nil, err
	}
	a.live.add(d)
	if thing := d.Thing(); a.noted.Load() != noted { // changes that may not have found d
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
	v, noted, now := visitor{ca.ID(certificate), hostport.Host(addr)}, a.noted.Load(), a.o.Now()
	if d := a.recent.get(v, noted, now); d != nil {
		return d, nil
	}
	d, err := a.identify(ctx, certificate, "", addr)
	if err != nil {
		return nil, err
	}
	d.noted = noted
	d.life, d.end = context.WithCancel(context.Background())
	a.recent.put(v, d, noted, now)
	return d, nil
}

// identify finds what the holder of a certificate may build on now.
func (a *Authorizer) identify(ctx context.Context, der []byte, clientID, addr string) (*Device, error) {
	d := &Device{a: a, id: ca.ID(der), clientID: clientID, address: hostport.Host(addr)}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, refusal("a certificate that cannot be read")
	}
	d.leaf = named(leaf)
	known, err := d.refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up certificate %s: %w", d.id, err)
	}
	if !known {
		a.registerItself(ctx, d.id, leaf)
		return nil, refusal("an unknown certificate")
	}
	if r := d.rights.Load(); !r.active {
		return nil, refusal("a certificate that is " + r.why)
	}
	return d, nil
}

// Changed notes whose rights may be different now; it fits
// engine.Options.Access.
func (a *Authorizer) Changed(c engine.AccessChange) {
	a.noted.Add(1)
	select {
	case a.changes <- c:
	default:
		a.live.overflow.Store(true)
	}
}

// Run brings the rights of live connections up to date as they change, until
// ctx ends.
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
		if d.end != nil {
			d.end()
		}
		a.o.Revoked(d.Principal())
	}
	if was.thing != is.thing {
		a.live.moved(d)
	}
}

// connectCaller admits the holder of an access key.
func (a *Authorizer) connectCaller(c gateway.Connect) (gateway.Authority, error) {
	if a.o.Keys == nil {
		return nil, refusal("access keys are not accepted")
	}
	caller, err := a.o.Keys(c.Peer.Principal)
	if err != nil {
		return nil, refusal("an unknown access key")
	}
	k := keyHolder{a: a, caller: caller, clientID: c.ClientID, address: hostport.Host(c.Peer.Addr)}
	return k, k.may(iotpolicy.Connect, "client/"+c.ClientID)
}

// logRefused takes the line about something that the policies of a principal refuse: operators debug this more than anything
// else, and a device that is refused tries again and again.
func (a *Authorizer) logRefused(text, principal string, attrs ...any) {
	if left, ok := a.refused.Take(principal, a.o.Now().Time()); ok {
		a.o.Log.Warn(text, append(attrs, "principal", principal, loglimit.LeftOut(left))...)
	}
}

func refusal(what string) error { return fmt.Errorf("%w: %s", gateway.ErrRefused, what) }
