package metrics

import "github.com/prometheus/client_golang/prometheus"

// Files adds how many bytes the job files take. Call it once.
func (m *Metrics) Files(used func() int64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "muster_files_bytes", Help: "Bytes of all job files, their versions and unfinished uploads."},
		func() float64 { return float64(used()) },
	))
}
