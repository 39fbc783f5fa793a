// Package door is the TLS front of the listeners: it performs handshakes, decides by ALPN what a connection is for, and hands it on
// (identity-and-auth.md sections 0 and A.1). It does not decide who a client is: where the listener needs a certificate, the
// handshake proves that the client has its key, and no more.
package door

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/admission"
	"github.com/muster-iot/muster/internal/loglimit"
)

// Kind is what a listener is for.
type Kind byte

// The kinds of listener.
const (
	MQTTS  Kind = iota // MQTT with client certificates (8883)
	HTTPS              // HTTPS with client certificates (8443)
	Shared             // everything, told apart by ALPN (443)
	Files              // HTTPS for job files: a client proves nothing but that it has a URL
)

// String names the listener as its flag does.
func (k Kind) String() string { return [...]string{"mqtts", "https", "alpn", "files"}[k] }

// ALPN names.
const (
	alpnMQTT = "x-amzn-mqtt-ca" // MQTT with a client certificate
	alpnHTTP = "x-amzn-http-ca" // HTTPS with a client certificate
	alpnWeb  = "http/1.1"       // HTTPS without
	alpnUser = "mqtt"           // MQTT with a custom authoriser, which we do not have
)

// Options are the parts of a Door. Certificates, MQTT and HTTPS are required as far as connections for them come.
type Options struct {
	// Certificates returns the server's certificates now, the preferred first. The first that the client can verify is
	// used, so that an RSA one may follow an ECDSA one.
	Certificates func() []tls.Certificate
	MQTT         func(*tls.Conn) // serves one MQTT connection until it ends
	HTTPS        func(*tls.Conn) // likewise; see Queue for a net/http server
	Files        func(*tls.Conn) // likewise, what came to a listener for Files

	Wrap             func(net.Conn) net.Conn // prepares an accepted connection before TLS: gateway.Server.Wrap; nil for nothing
	HandshakeTimeout time.Duration           // that a handshake may wait for its client, in all; 10 s. What the server takes is not counted
	AtOnce           int                     // handshakes that compute at the same time; as many as there are processors
	Waiting          int                     // accepted connections before the end of their handshake; 16,384; see package admission
	Refused          func(Kind, string)      // called when a handshake failed for a reason that can be said, with that; must be quick; nil is allowed
	OldDevices       bool                    // also offer RSA key exchange to TLS 1.2 clients (AUTH-10)
	Log              *slog.Logger            // nil discards
}

// Door is one set of rules for any number of listeners.
type Door struct {
	o        Options
	log      *slog.Logger
	gate     *gate
	lines    *loglimit.Limiter // of failed handshakes
	shedding *loglimit.Limiter
	pool     *admission.Pool // of those whose handshake is under way
	large    *admission.Pool // of those of them that need much room

	outer   *tls.Config // chooses the one to use; it has the keys of session tickets
	nobody  *tls.Config // shares no protocol with a client that it is for, so that the handshake ends with that alert
	configs sync.Map    // of *tls.Config by choice

	shed     atomic.Uint64
	failed   atomic.Uint64
	finished atomic.Uint64
}

// Stats are the counters of a Door.
type Stats struct {
	Waiting    int64  // connections before the end of their handshake now
	Handshakes uint64 // that succeeded
	Failed     uint64 // handshakes that failed, took too long or were shed
	Shed       uint64 // connections closed because too many waited
}

// New returns a door.
func New(o Options) (*Door, error) {
	if o.Certificates == nil {
		return nil, errors.New("door: no Certificates")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 10*time.Second)
	o.AtOnce = cmp.Or(o.AtOnce, runtime.GOMAXPROCS(0))
	o.Waiting = cmp.Or(o.Waiting, 16384)
	d := &Door{o: o, log: o.Log, gate: &gate{free: o.AtOnce}, lines: loglimit.New(failedLines, failedLinesAll), shedding: loglimit.New(1, 1), pool: admission.New(o.Waiting), large: admission.New(largeMax)}
	d.outer = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return hello.Context().Value(handshakeKey{}).(*handshake).config(hello)
	}}
	d.nobody = d.config(choice{purpose: toNobody})
	d.nobody.NextProtos = []string{alpnMQTT, alpnHTTP, alpnWeb}
	return d, nil
}

// Stats returns the counters as of now.
func (d *Door) Stats() Stats {
	return Stats{int64(d.pool.Held()), d.finished.Load(), d.failed.Load(), d.shed.Load()}
}

// Serve accepts connections of the given kind on l until ctx ends, then closes l and returns nil once all handshakes under
// way are over.
func (d *Door) Serve(ctx context.Context, l net.Listener, k Kind) error {
	ctx, cancel := context.WithCancel(ctx)
	var shaking sync.WaitGroup
	defer shaking.Wait()
	defer cancel()
	return gateway.Accept(ctx, l, d.log, func(c net.Conn) {
		v := d.take(d.pool, c)
		if v == nil {
			d.close(c)
			return
		}
		shaking.Go(func() { d.shake(ctx, c, k, v) })
	})
}

// take takes a place for a connection, which is closed when another one needs the place.
func (d *Door) take(h *admission.Pool, c net.Conn) *admission.Place {
	return h.Take(c.RemoteAddr().String(), func() { d.close(c) })
}

// close sheds a connection.
func (d *Door) close(c net.Conn) {
	d.shed.Add(1)
	d.tellShed()
	c.Close()
}

// shake does the handshake and starts serving.
func (d *Door) shake(ctx context.Context, raw net.Conn, k Kind, v *admission.Place) {
	h := &handshake{door: d, kind: k, raw: raw, ctx: ctx, left: d.o.HandshakeTimeout, places: []*admission.Place{v}}
	defer h.leave()
	if d.o.Wrap != nil {
		raw = d.o.Wrap(raw)
		h.peer, _ = raw.(interface{ HungUp() bool })
	}
	front := &client{Conn: raw, shaking: h}
	c := tls.Server(front, d.outer)
	err := c.HandshakeContext(context.WithValue(ctx, handshakeKey{}, h))
	front.settle()
	if err != nil {
		h.alert(err)
		h.tell(err)
		d.failed.Add(1)
		raw.Close()
		return
	}
	d.finished.Add(1)
	// On a new goroutine: the handshake has made the stack of this one large.
	switch h.purpose {
	case toMQTT:
		go d.o.MQTT(c)
	case toHTTPS:
		go d.o.HTTPS(c)
	case toFiles:
		go d.o.Files(c)
	}
}

// handshakeKey is where a handshake travels in its context.
type handshakeKey struct{}

// handshake is one handshake under way.
type handshake struct {
	door    *Door
	kind    Kind
	purpose purpose
	ctx     context.Context // ends when the door closes
	raw     net.Conn
	peer    interface{ HungUp() bool } // nil if the connection cannot tell
	left    time.Duration              // that it may still wait for its client
	places  []*admission.Place         // in Door.pool, and in Door.large if it is there
	inside  bool                       // the gate
	begun   bool                       // its first message has been handled, so it goes before handshakes whose first has not

	versions, suites []uint16       // that the client offers
	refused          string         // what would help a client that we refuse
	alerted          tls.AlertError // by which the client ended it, if it was readable; else 0
}

func (h *handshake) leave() {
	for _, v := range h.places {
		v.Leave()
	}
}

// config is called when the client's first message has arrived.
func (h *handshake) config(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	h.versions, h.suites = hello.SupportedVersions, hello.CipherSuites
	if len(hello.SupportedProtos) > namesMax { // crypto/tls keeps them, in many times their size
		h.refused = fmt.Sprintf("a client may offer %d ALPN names", namesMax)
		return nil, fmt.Errorf("the client offers %d ALPN names", len(hello.SupportedProtos))
	}
	choice := choose(h.kind, hello.SupportedProtos)
	if choice.purpose == toNobody {
		h.refused = fmt.Sprintf("ALPN %q is for custom authorizers, which there are none of: offer %s for MQTT with a certificate, "+
			"%s for HTTPS with one, %s or nothing for requests with a signature", alpnUser, alpnMQTT, alpnHTTP, alpnWeb)
		return h.door.nobody, nil
	}
	h.purpose = choice.purpose
	config, ok := h.door.configs.Load(choice)
	if !ok {
		config, _ = h.door.configs.LoadOrStore(choice, h.door.config(choice))
	}
	return config.(*tls.Config), nil
}

// purpose is what a connection turns out to be for.
type purpose byte

const (
	toMQTT purpose = iota
	toHTTPS
	toFiles
	toNobody // the client wants a protocol that is not served
)

// choice is what a listener derives from the protocols that a client offers.
type choice struct {
	purpose     purpose
	certificate bool   // the client needs one
	protocol    string // ALPN answer; empty for none
}

// choose decides by the listener and the client's ALPN list. A name that is not known never ends a handshake: it is not
// answered (AUTH-2). The one exception is what identity-and-auth.md section 0 refuses by name.
func choose(k Kind, offered []string) choice {
	has := func(name string) bool { return slices.Contains(offered, name) }
	first := func(names ...string) string {
		for _, name := range names {
			if has(name) {
				return name
			}
		}
		return ""
	}
	switch k {
	case MQTTS:
		return choice{toMQTT, true, first(alpnMQTT)}
	case HTTPS:
		return choice{toHTTPS, true, first(alpnHTTP, alpnWeb)}
	case Files:
		return choice{toFiles, false, first(alpnWeb)}
	}
	switch p := first(alpnMQTT, alpnHTTP, alpnWeb); {
	case p == alpnMQTT:
		return choice{toMQTT, true, p}
	case p == alpnHTTP:
		return choice{toHTTPS, true, p}
	case p == "" && has(alpnUser):
		return choice{purpose: toNobody}
	default:
		return choice{toHTTPS, false, p}
	}
}

// config returns the TLS configuration for a choice.
func (d *Door) config(c choice) *tls.Config {
	t := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: d.certificate,
		// With client certificates there is no resumption: a deactivated one must not come back by ticket (AUTH-16).
		SessionTicketsDisabled: c.certificate,
	}
	if c.protocol != "" {
		t.NextProtos = []string{c.protocol}
	}
	if c.certificate {
		t.ClientAuth = tls.RequireAnyClientCert // the client is identified later (AUTH-12, AUTH-17)
	}
	if d.o.OldDevices {
		for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
			if !slices.Contains(brokenSuites, s.ID) {
				t.CipherSuites = append(t.CipherSuites, s.ID)
			}
		}
	}
	return t
}

// brokenSuites are not offered to any client.
var brokenSuites = []uint16{tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA,
	tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA}

// certificate returns the first certificate whose key the client can use. The server name that it
// asks for does not matter: devices may connect by address (AUTH-14).
func (d *Door) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	all := d.o.Certificates()
	if len(all) == 0 {
		return nil, errors.New("no server certificate")
	}
	unnamed := *hello
	unnamed.ServerName = ""
	for i := range all {
		if unnamed.SupportsCertificate(&all[i]) == nil {
			return &all[i], nil
		}
	}
	return &all[0], nil
}
