package gateway

import "time"

// Limits bound what one client can cost (mqtt-broker.md section 12). A zero field means its default.
type Limits struct {
	Payload                int           // bytes of one message; 128 KiB
	Packet                 int           // bytes of one packet after CONNECT; 147,456 (MQ-60)
	Subscriptions          int           // per session; 50 (MQ-36)
	InFlight               int           // unacknowledged QoS 1 messages per direction; 100 (MQ-29)
	QueueMessages          int           // kept for a session that is away; 1,000 (MQ-55)
	QueueBytes             int           // kept for one session; 8 MiB (MQ-55)
	SessionExpiry          time.Duration // longest life of a session after its connection; 1 hour, at most 7 days (MQ-52)
	ConnectTimeout         time.Duration // from the open transport to CONNECT; 5 s
	WriteTimeout           time.Duration // for one write to a client; 30 s (MQ-18)
	PublishRate            int           // publishes per second and connection; 1,000 (MQ-30)
	Retained               int           // retained messages; 500,000
	ParentWildcard         bool          // "a/#" also matches "a", as MQTT says and AWS does not (MQ-39)
	SilentRefusal          bool          // close on a refused 3.1.1 CONNECT without CONNACK, as AWS does (MQ-7)
	CloseOnDeniedSubscribe bool          // disconnect instead of a failure code in SUBACK (MQ-41)
}
