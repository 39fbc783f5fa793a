package metrics

import (
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/door"
	"github.com/muster-iot/muster/intake"
)

// Gateway adds the counters of the device gateway. Call it once.
func (m *Metrics) Gateway(stats func() gateway.Stats) {
	type s = gateway.Stats
	m.registry.MustRegister(collector[s]{stats, []series[s]{
		gauge("muster_mqtt_connections", "MQTT connections open now.", func(s s) int64 { return s.Connections }),
		gauge("muster_mqtt_sessions", "MQTT sessions, connected or kept.", func(s s) int64 { return s.Sessions }),
		gauge("muster_mqtt_subscriptions", "Subscriptions of those sessions.", func(s s) int64 { return s.Subscriptions }),
		gauge("muster_mqtt_waiting", "Connections before the end of their CONNECT now.", func(s s) int64 { return s.Waiting }),
		counter("muster_mqtt_shed_total", "Connections closed because too many were before the end of their CONNECT.", func(s s) uint64 { return s.Shed }),
		counter("muster_mqtt_accepted_total", "Transports that reached the MQTT layer.", func(s s) uint64 { return s.Accepted }),
		counter("muster_mqtt_connects_total", "CONNECTs let in.", func(s s) uint64 { return s.Connects }),
		counter("muster_mqtt_connects_refused_total", "CONNECTs refused.", func(s s) uint64 { return s.ConnectsRefused }),
		counter("muster_mqtt_packets_in_total", "Packets read.", func(s s) uint64 { return s.PacketsIn }),
		counter("muster_mqtt_bytes_in_total", "Bytes read.", func(s s) uint64 { return s.BytesIn }),
		counter("muster_mqtt_bytes_out_total", "Bytes written.", func(s s) uint64 { return s.BytesOut }),
		counter("muster_mqtt_publishes_in_total", "Messages published by clients.", func(s s) uint64 { return s.PublishesIn }),
		counter("muster_mqtt_requests_total", "Of these, requests to served reserved topics.", func(s s) uint64 { return s.Requests }),
		counter("muster_mqtt_unserved_total", "Of these, requests to features of AWS IoT that are not served.", func(s s) uint64 { return s.Unserved }),
		counter("muster_mqtt_publishes_denied_total", "Publishes refused by policy.", func(s s) uint64 { return s.PublishesDenied }),
		counter("muster_mqtt_subscribes_denied_total", "Subscriptions refused by policy.", func(s s) uint64 { return s.SubscribesDenied }),
		counter("muster_mqtt_receives_denied_total", "Deliveries withheld by policy.", func(s s) uint64 { return s.ReceivesDenied }),
		counter("muster_mqtt_delivered_total", "Messages written towards a client.", func(s s) uint64 { return s.Delivered }),
		counter("muster_mqtt_dropped_slow_total", "QoS 0 messages dropped for a slow client.", func(s s) uint64 { return s.DroppedSlow }),
		counter("muster_mqtt_dropped_large_total", "Messages dropped: larger than the client's Maximum Packet Size.", func(s s) uint64 { return s.DroppedLarge }),
		counter("muster_mqtt_dropped_queue_total", "QoS 1 messages dropped: queue full, or expired.", func(s s) uint64 { return s.DroppedQueue }),
		counter("muster_mqtt_protocol_errors_total", "Connections ended for what the client sent.", func(s s) uint64 { return s.ProtocolErrors }),
		counter("muster_mqtt_panics_total", "Contained panics; each is a bug.", func(s s) uint64 { return s.Panics }),
	}})
}

// Intake adds the counters of the HTTP listeners. Call it once.
func (m *Metrics) Intake(stats func() intake.Stats) {
	type s = intake.Stats
	m.registry.MustRegister(collector[s]{stats, []series[s]{
		gauge("muster_http_waiting", "HTTP connections that are not serving a request now.", func(s s) int64 { return int64(s.Waiting) }),
		gauge("muster_http_unknown_bytes", "Bytes received from clients that are not known yet, beyond what each connection may have.", func(s s) int64 { return int64(s.Heads + s.Bodies) }),
		counter("muster_http_shed_total", "Connections and requests of clients not known yet that were refused for want of room.", func(s s) uint64 { return s.Shed }),
	}})
}

// Door adds the counters of the TLS listeners. Call it once.
func (m *Metrics) Door(stats func() door.Stats) {
	type s = door.Stats
	m.registry.MustRegister(collector[s]{stats, []series[s]{
		gauge("muster_tls_waiting", "Connections before the end of their handshake now.", func(s s) int64 { return s.Waiting }),
		counter("muster_tls_handshakes_total", "Handshakes that succeeded.", func(s s) uint64 { return s.Handshakes }),
		counter("muster_tls_failed_total", "Handshakes that failed or took too long.", func(s s) uint64 { return s.Failed }),
		counter("muster_tls_shed_total", "Connections closed unseen because too many waited.", func(s s) uint64 { return s.Shed }),
	}})
}
