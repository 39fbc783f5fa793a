// Package unserved answers devices that use features of AWS IoT which Muster does not have: shadows, Device Defender, streams,
// Basic Ingest, fleet provisioning and others (mqtt-broker.md MQ-28 and MQ-71). Firmware that uses such a feature on the same
// connection as its jobs must still get its jobs. So a request that policy permits is acknowledged and answered with a rejection in
// the feature's own form, the connection stays open, and a warning is logged, at most once an hour for each device. Nothing is
// stored or forwarded.
package unserved

import (
	"log/slog"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/internal/loglimit"
)

// warningsAll bounds the warnings an hour for all devices together.
const warningsAll = 600

// Options are the parts of Topics. Served and Now are required.
type Options struct {
	Served gateway.Reserved // the topics of features that Muster has
	Now    func() time.Time
	Log    *slog.Logger // nil discards
}

// Topics are all reserved topics of a deployment: those that are served and those that are answered here. It implements
// gateway.Reserved; its methods may be called by many goroutines.
type Topics struct {
	o      Options
	warned *loglimit.Limiter // by client id
}

// New returns Topics that pass to o.Served all topics that it does not forbid.
func New(o Options) *Topics {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Topics{o: o, warned: loglimit.NewHourly(1, warningsAll)}
}

// Use implements gateway.Reserved. Topics on which no feature of AWS accepts requests are forbidden, those of answers among them.
func (t *Topics) Use(topic string) gateway.Use {
	if use := t.o.Served.Use(topic); use != gateway.Forbidden {
		return use
	}
	if find(topic) != nil {
		return gateway.Unserved
	}
	return gateway.Forbidden
}

// Request implements gateway.Reserved.
func (t *Topics) Request(in gateway.Request, reply func(topic string, payload []byte)) {
	if t.o.Served.Use(in.Topic) != gateway.Forbidden {
		t.o.Served.Request(in, reply)
		return
	}
	f := find(in.Topic)
	if f == nil {
		return // the gateway does not call it for such a topic
	}
	now := t.o.Now()
	if left, ok := t.warned.Take(in.ClientID, now); ok {
		t.o.Log.Warn("a device uses a feature that this server does not have; it is told so, and stays connected",
			"feature", f.feature, "topic", in.Topic, "client", in.ClientID, "principal", in.Grant.Principal(), loglimit.LeftOut(left))
	}
	if f.reject == nil {
		return
	}
	topic, body := f.reject(question{topic: in.Topic, payload: in.Payload, at: now, why: f.why()})
	if f.cbor() {
		reply(topic, body.appendCBOR(nil))
	} else {
		reply(topic, body.appendJSON(nil))
	}
}
