package metrics

import "github.com/muster-iot/muster/commit"

// Transactions adds the counters of transactions. Call it once.
func (m *Metrics) Transactions(stats func() commit.Stats) {
	type s = commit.Stats
	m.registry.MustRegister(collector[s]{stats, []series[s]{
		gauge("muster_store_lanes", "Transactions that may run at the same time.", func(s s) int64 { return int64(s.Lanes) }),
		counter("muster_store_refused_total", "Transactions that the store refused because others had changed what they read; they run again.", func(s s) uint64 { return s.Refused }),
		counter("muster_store_alone_total", "Transactions that ran while no other one did.", func(s s) uint64 { return s.Alone }),
	}})
}
