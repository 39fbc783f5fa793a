package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-iot/muster/gateway"
)

// Gateway adds the counters of the device gateway, read when somebody looks.
// Call it once.
func (m *Metrics) Gateway(stats func() gateway.Stats) {
	m.registry.MustRegister(gatewayCollector{stats})
}

type gatewayCollector struct{ stats func() gateway.Stats }

// series is one figure of gateway.Stats.
type series struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(gateway.Stats) float64
}

var gatewaySeries = []series{
	gauge("connections", "MQTT connections open now.", func(s gateway.Stats) float64 { return float64(s.Connections) }),
	gauge("sessions", "MQTT sessions, connected or kept.", func(s gateway.Stats) float64 { return float64(s.Sessions) }),
	gauge("subscriptions", "Subscriptions of those sessions.", func(s gateway.Stats) float64 { return float64(s.Subscriptions) }),
	counter("accepted", "Transports that reached the MQTT layer.", func(s gateway.Stats) uint64 { return s.Accepted }),
	counter("connects", "CONNECTs let in.", func(s gateway.Stats) uint64 { return s.Connects }),
	counter("connects_refused", "CONNECTs refused.", func(s gateway.Stats) uint64 { return s.ConnectsRefused }),
	counter("packets_in", "Packets read.", func(s gateway.Stats) uint64 { return s.PacketsIn }),
	counter("bytes_in", "Bytes read.", func(s gateway.Stats) uint64 { return s.BytesIn }),
	counter("bytes_out", "Bytes written.", func(s gateway.Stats) uint64 { return s.BytesOut }),
	counter("publishes_in", "Messages published by clients.", func(s gateway.Stats) uint64 { return s.PublishesIn }),
	counter("requests", "Of these, requests to served reserved topics.", func(s gateway.Stats) uint64 { return s.Requests }),
	counter("publishes_denied", "Publishes refused by policy.", func(s gateway.Stats) uint64 { return s.PublishesDenied }),
	counter("subscribes_denied", "Subscriptions refused by policy.", func(s gateway.Stats) uint64 { return s.SubscribesDenied }),
	counter("receives_denied", "Deliveries withheld by policy.", func(s gateway.Stats) uint64 { return s.ReceivesDenied }),
	counter("delivered", "Messages written towards a client.", func(s gateway.Stats) uint64 { return s.Delivered }),
	counter("dropped_slow", "QoS 0 messages dropped for a slow client.", func(s gateway.Stats) uint64 { return s.DroppedSlow }),
	counter("dropped_queue", "QoS 1 messages dropped: queue full, or expired.", func(s gateway.Stats) uint64 { return s.DroppedQueue }),
	counter("protocol_errors", "Connections ended for what the client sent.", func(s gateway.Stats) uint64 { return s.ProtocolErrors }),
	counter("panics", "Contained panics; each is a bug.", func(s gateway.Stats) uint64 { return s.Panics }),
}

func gauge(name, help string, value func(gateway.Stats) float64) series {
	return series{prometheus.NewDesc("muster_mqtt_"+name, help, nil, nil), prometheus.GaugeValue, value}
}

func counter(name, help string, value func(gateway.Stats) uint64) series {
	return series{
		prometheus.NewDesc("muster_mqtt_"+name+"_total", help, nil, nil), prometheus.CounterValue,
		func(s gateway.Stats) float64 { return float64(value(s)) },
	}
}

// Describe implements prometheus.Collector.
func (c gatewayCollector) Describe(out chan<- *prometheus.Desc) {
	for _, s := range gatewaySeries {
		out <- s.desc
	}
}

// Collect implements prometheus.Collector.
func (c gatewayCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.stats()
	for _, s := range gatewaySeries {
		out <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value(stats))
	}
}
