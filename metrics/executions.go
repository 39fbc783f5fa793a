package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-iot/muster"
)

// countTimeout bounds the reading of counters during a scrape.
const countTimeout = 5 * time.Second

// Executions adds how many executions there are in each status. total is called
// at each scrape; when it fails, the figure is left out. Call it once.
func (m *Metrics) Executions(total func(context.Context) (muster.Counts, error)) {
	m.registry.MustRegister(executionsCollector{total})
}

type executionsCollector struct {
	total func(context.Context) (muster.Counts, error)
}

var executionsDesc = prometheus.NewDesc("muster_executions", "Job executions stored now, by status.", []string{"status"}, nil)

// Describe implements prometheus.Collector.
func (c executionsCollector) Describe(out chan<- *prometheus.Desc) { out <- executionsDesc }

// Collect implements prometheus.Collector.
func (c executionsCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	counts, err := c.total(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(executionsDesc, err)
		return
	}
	for _, status := range muster.Statuses() {
		out <- prometheus.MustNewConstMetric(executionsDesc, prometheus.GaugeValue, float64(counts.Of(status)), status.String())
	}
}
