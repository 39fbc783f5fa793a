package gateway

import (
	"cmp"
	"time"
)

// Limits bound what one client can cost (mqtt-broker.md section 12). A zero field means its default.
type Limits struct {
	Payload                int           // bytes of one message; 128 KiB (MQ-26)
	Packet                 int           // bytes of one packet after CONNECT; 149,504, as AWS says in CONNACK (MQ-60)
	Subscriptions          int           // per session; 50 (MQ-36)
	InFlight               int           // unacknowledged QoS 1 messages per direction; 100 (MQ-29)
	QueueMessages          int           // kept for a session that is away; 1,000 (MQ-55)
	QueueBytes             int           // kept for one session; 8 MiB (MQ-55)
	SessionExpiry          time.Duration // longest life of a session after its connection; 1 hour, at most 7 days (MQ-52)
	Unproven               int           // connections before the end of their CONNECT; 16,384; see package admission
	ConnectTimeout         time.Duration // from the open transport to CONNECT; 5 s (MQ-2)
	WriteTimeout           time.Duration // for one write to a client; 30 s (MQ-18)
	PublishRate            int           // publishes per second and connection; beyond it reading pauses; 1,000 (MQ-30)
	Retained               int           // retained messages; 500,000. More that are stored already are kept
	DrainTime              time.Duration // over which a stopping server spreads its disconnects; 3 s (MQ-65)
	ParentWildcard         bool          // "a/#" also matches "a", as MQTT says and AWS does not (MQ-39)
	SilentRefusal          bool          // close on a refused 3.1.1 CONNECT without CONNACK, as AWS does (MQ-7)
	CloseOnDeniedSubscribe bool          // disconnect instead of a failure code in SUBACK (MQ-41)
}

// Bounds that need no setting.
const (
	clientIDMax     = 128                // bytes (MQ-4)
	connectMax      = 8 << 10            // bytes of a CONNECT, its will included: what a stranger can make us hold, twice over TLS
	keepAliveMin    = 30                 // seconds (MQ-15)
	keepAliveMax    = 1200               // seconds; also what 0 means
	aliasMax        = 8                  // inbound topic aliases
	sessionHardCap  = 7 * 24 * time.Hour // MQ-52
	messageExpiryTo = 604800             // seconds; longest message expiry (MQ-58)
	pumpBelow       = 64 << 10           // bytes waiting to be written above which QoS 1 messages stay in their queue
	slowAbove       = 256 << 10          // bytes waiting to be written above which QoS 0 messages are dropped
	lingerTime      = time.Second        // for last words to a client that is being disconnected
	rateBurst       = 10                 // seconds' worth of PublishRate that may come at once
)

func (l Limits) withDefaults() Limits {
	l.Payload = cmp.Or(l.Payload, 128<<10)
	l.Packet = cmp.Or(l.Packet, 149504)
	l.Subscriptions = cmp.Or(l.Subscriptions, 50)
	l.InFlight = cmp.Or(l.InFlight, 100)
	l.QueueMessages = cmp.Or(l.QueueMessages, 1000)
	l.QueueBytes = cmp.Or(l.QueueBytes, 8<<20)
	l.SessionExpiry = min(cmp.Or(l.SessionExpiry, time.Hour), sessionHardCap)
	l.Unproven = cmp.Or(l.Unproven, 16384)
	l.ConnectTimeout = cmp.Or(l.ConnectTimeout, 5*time.Second)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, 30*time.Second)
	l.PublishRate = cmp.Or(l.PublishRate, 1000)
	l.Retained = cmp.Or(l.Retained, 500_000)
	l.DrainTime = cmp.Or(l.DrainTime, 3*time.Second)
	return l
}
