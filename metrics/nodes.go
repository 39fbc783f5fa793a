package metrics

import "github.com/muster-iot/muster/cluster"

// Nodes holds the figures of a server that is one of several on a database.
type Nodes struct {
	Node cluster.NodeFigures
	News cluster.NewsFigures
}

// Nodes adds these figures. Call it once.
func (m *Metrics) Nodes(stats func() Nodes) {
	type s = Nodes
	m.registry.MustRegister(collector[s]{stats, []series[s]{
		gauge("muster_node_beat_microseconds", "Time that the last beat took, with which this node says to the database that it works.", func(s s) int64 { return s.Node.RoundTrip.Microseconds() }),
		gauge("muster_nodes", "Nodes that work on the database, this one too.", func(s s) int64 { return int64(s.Node.Nodes) }),
		gauge("muster_node_draining", "1 while this node was ordered to drain.", func(s s) int64 { return bit(s.Node.Draining) }),
		gauge("muster_node_leases", "Shares of the work that this node has.", func(s s) int64 { return int64(s.Node.Leases) }),
		counter("muster_node_beats_failed_total", "Beats that the database did not answer.", func(s s) uint64 { return s.Node.Failed }),
		counter("muster_nodes_fenced_total", "Nodes that were taken to be dead since this one started.", func(s s) uint64 { return s.Node.Fenced }),
		gauge("muster_bus_up", "1 while the bus between the nodes is reached.", func(s s) int64 { return bit(s.News.Up) }),
		gauge("muster_bus_deaf", "1 while news of another node do not come, so that this one looks into the database for them.", func(s s) int64 { return bit(s.News.Deaf) }),
		counter("muster_digests_sent_total", "Messages to the other nodes about commits.", func(s s) uint64 { return s.News.Sent }),
		counter("muster_digests_received_total", "Such messages of other nodes.", func(s s) uint64 { return s.News.Received }),
		counter("muster_digests_lost_total", "Of these, the ones that did not come, by their numbers.", func(s s) uint64 { return s.News.Lost }),
		counter("muster_digest_gaps_total", "Times that this node looked everything up again, because it may have missed something.", func(s s) uint64 { return s.News.Missed }),
	}})
}

func bit(is bool) int64 {
	if is {
		return 1
	}
	return 0
}
