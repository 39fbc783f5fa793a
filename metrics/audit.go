package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-iot/muster/audit"
)

// Audit adds how large the audit records are. figures is called at each scrape; when it fails, they are left out. Call it once.
func (m *Metrics) Audit(figures func(context.Context) (audit.Figures, error)) {
	m.registry.MustRegister(auditCollector{figures})
}

type auditCollector struct {
	figures func(context.Context) (audit.Figures, error)
}

var (
	auditBytesDesc = prometheus.NewDesc("muster_audit_bytes", "Size of the audit records with what they are found by, as counted so far.", nil, nil)
	auditCountDesc = prometheus.NewDesc("muster_audit_records", "Audit records, as counted so far.", nil, nil)
	auditLeftDesc  = prometheus.NewDesc("muster_audit_left_out_total", "Refused requests without an audit record, since there were too many different ones.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c auditCollector) Describe(out chan<- *prometheus.Desc) {
	out <- auditBytesDesc
	out <- auditCountDesc
	out <- auditLeftDesc
}

// Collect implements prometheus.Collector.
func (c auditCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	f, err := c.figures(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(auditBytesDesc, err)
		return
	}
	out <- prometheus.MustNewConstMetric(auditBytesDesc, prometheus.GaugeValue, float64(f.Bytes))
	out <- prometheus.MustNewConstMetric(auditCountDesc, prometheus.GaugeValue, float64(f.Records))
	out <- prometheus.MustNewConstMetric(auditLeftDesc, prometheus.CounterValue, float64(f.Left))
}
