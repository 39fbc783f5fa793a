package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-iot/muster/reserve"
)

// Disks adds how much room there is on each file system. The key of volumes, what
// the file system holds ("data", "files"), becomes its label. Call it once.
func (m *Metrics) Disks(volumes map[string]*reserve.Volume) {
	for holds, v := range volumes {
		labels := prometheus.Labels{"holds": holds}
		figure := func(name, help string, value func(reserve.VolumeState) float64) {
			m.registry.MustRegister(prometheus.NewGaugeFunc(
				prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels},
				func() float64 { return value(v.State()) },
			))
		}
		figure("muster_disk_free_bytes", "Bytes that may still be taken on the disk.", func(s reserve.VolumeState) float64 { return float64(s.Free) })
		figure("muster_disk_reserve_bytes", "Bytes below which nothing new is taken.", func(s reserve.VolumeState) float64 { return float64(s.Reserve) })
		figure("muster_disk_level", "0: plenty of room, 1: low, 2: critical, 3: full.", func(s reserve.VolumeState) float64 { return float64(s.Level) })
	}
}
