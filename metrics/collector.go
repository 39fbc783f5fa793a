package metrics

import "github.com/prometheus/client_golang/prometheus"

// series is one figure of a set of counters that another package keeps.
type series[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(T) float64
}

func gauge[T any](name, help string, value func(T) int64) series[T] {
	return series[T]{
		prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue,
		func(stats T) float64 { return float64(value(stats)) },
	}
}

func counter[T any](name, help string, value func(T) uint64) series[T] {
	return series[T]{
		prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue,
		func(stats T) float64 { return float64(value(stats)) },
	}
}

// collector shows such a set, read at each scrape.
type collector[T any] struct {
	read   func() T
	series []series[T]
}

// Describe implements prometheus.Collector.
func (c collector[T]) Describe(out chan<- *prometheus.Desc) {
	for _, s := range c.series {
		out <- s.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector[T]) Collect(out chan<- prometheus.Metric) {
	stats := c.read()
	for _, s := range c.series {
		out <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value(stats))
	}
}
