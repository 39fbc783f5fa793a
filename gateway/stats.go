package gateway

import "sync/atomic"

// Stats are the counters of a server since it was made, and a few gauges. All are safe as metric values; none carries a
// client's name.
type Stats struct {
	Connections      int64  // open now and past CONNECT
	Sessions         int64  // connected or kept
	Subscriptions    int64  // of those sessions
	Waiting          int64  // open now and before the end of CONNECT
	Shed             uint64 // connections closed because too many were before the end of CONNECT
	Accepted         uint64 // transports that reached the MQTT layer
	Connects         uint64 // CONNECTs let in
	ConnectsRefused  uint64 // CONNECTs answered with a refusal
	PacketsIn        uint64
	BytesIn          uint64
	BytesOut         uint64
	PublishesIn      uint64 // by clients
	Requests         uint64 // of these: to served reserved topics
	Unserved         uint64 // of these: to reserved topics of features that are not there
	PublishesDenied  uint64
	SubscribesDenied uint64
	ReceivesDenied   uint64 // deliveries that policy does not permit
	Delivered        uint64 // messages written towards a client
	DroppedSlow      uint64 // QoS 0 messages dropped for a slow client
	DroppedLarge     uint64 // messages dropped because they are larger than the client takes
	DroppedQueue     uint64 // QoS 1 messages dropped because a queue was full or they expired
	ProtocolErrors   uint64 // connections ended for what the client sent
	Panics           uint64 // contained; each is a bug
}

// counters is what Stats is read from.
type counters struct {
	connections                                       atomic.Int64
	shed, accepted, connects, connectsRefused         atomic.Uint64
	packetsIn, bytesIn, bytesOut                      atomic.Uint64
	publishesIn, requests, unserved, delivered        atomic.Uint64
	publishesDenied, subscribesDenied, receivesDenied atomic.Uint64
	droppedSlow, droppedLarge, droppedQueue           atomic.Uint64
	protocolErrors, panics                            atomic.Uint64
}

// Stats returns the counters of the server as of now.
func (s *Server) Stats() Stats {
	c := &s.count
	return Stats{
		Connections:      c.connections.Load(),
		Sessions:         s.registry.size(),
		Subscriptions:    s.index.size.Load(),
		Waiting:          int64(s.pool.Held()),
		Shed:             c.shed.Load(),
		Accepted:         c.accepted.Load(),
		Connects:         c.connects.Load(),
		ConnectsRefused:  c.connectsRefused.Load(),
		PacketsIn:        c.packetsIn.Load(),
		BytesIn:          c.bytesIn.Load(),
		BytesOut:         c.bytesOut.Load(),
		PublishesIn:      c.publishesIn.Load(),
		Requests:         c.requests.Load(),
		Unserved:         c.unserved.Load(),
		PublishesDenied:  c.publishesDenied.Load(),
		SubscribesDenied: c.subscribesDenied.Load(),
		ReceivesDenied:   c.receivesDenied.Load(),
		Delivered:        c.delivered.Load(),
		DroppedSlow:      c.droppedSlow.Load(),
		DroppedLarge:     c.droppedLarge.Load(),
		DroppedQueue:     c.droppedQueue.Load(),
		ProtocolErrors:   c.protocolErrors.Load(),
		Panics:           c.panics.Load(),
	}
}
