package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-iot/muster/commit"
)

// Transactions adds the counters of transactions. Call it once.
func (m *Metrics) Transactions(stats func() commit.Stats) {
	type s = commit.Stats
	m.registry.MustRegister(collector[s]{stats, []series[s]{
		gauge("muster_store_lanes", "Transactions that may run at the same time.", func(s s) int64 { return int64(s.Lanes) }),
		counter("muster_store_refused_total", "Transactions that the store refused because others had changed what they read; they run again.", func(s s) uint64 { return s.Refused }),
		counter("muster_store_alone_total", "Transactions that ran while no other one did.", func(s s) uint64 { return s.Alone }),
	}})
}

// Database adds the counters of a database, and returns what is to be told of each transaction and
// view: how many round trips it took, and whether it has changed something. Call it once.
func (m *Metrics) Database() func(trips int, changed bool) {
	var trips, calls [2]prometheus.Counter
	for i, what := range []string{"view", "commit"} {
		labels := prometheus.Labels{"what": what}
		trips[i] = prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_store_trips_total", Help: "Round trips to the database, by whether they were for a change (commit) or not (view).", ConstLabels: labels,
		})
		calls[i] = prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_store_transactions_total", Help: "Transactions of the database, likewise.", ConstLabels: labels,
		})
		m.registry.MustRegister(trips[i], calls[i])
	}
	return func(n int, changed bool) {
		i := 0
		if changed {
			i = 1
		}
		trips[i].Add(float64(n))
		calls[i].Inc()
	}
}
