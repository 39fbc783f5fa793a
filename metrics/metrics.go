// Package metrics is what Muster shows to Prometheus: one struct of instruments
// that the edges report to, and the handler of /metrics. It measures and never
// decides. Names of things and jobs never become labels, since there are millions
// of them.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics holds the instruments of one process. Make it with New. Its methods
// are quick and may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry

	inFlight      prometheus.Gauge
	requests      *prometheus.CounterVec
	latency       *prometheus.HistogramVec
	commits       prometheus.Counter
	commands      prometheus.Histogram
	notifications prometheus.Counter
}

// latencyBuckets reach from a read in memory to the longest wait that is not a
// long poll, in seconds.
var latencyBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

// batchBuckets end at the largest batch of commands in one transaction.
var batchBuckets = prometheus.ExponentialBuckets(1, 4, 6)

// New returns instruments at zero. version labels the build.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_http_requests_in_flight",
			Help: "HTTP requests being served now, long polls and this one included.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_requests_total",
			Help: "Requests answered, by plane (control, or http or mqtt of the data plane), operation and outcome.",
		}, []string{"plane", "operation", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "muster_request_duration_seconds",
			Help:    "Time from the whole request read to the answer written, long polls included.",
			Buckets: latencyBuckets,
		}, []string{"plane", "operation"}),
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_store_commits_total",
			Help: "Durable transactions.",
		}),
		commands: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "muster_store_commit_commands",
			Help:    "Operations that shared one transaction.",
			Buckets: batchBuckets,
		}),
		notifications: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_notifications_total",
			Help: "Things that were owed news of their queue.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "muster_build_info",
		Help:        "Always 1; the label says what runs.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.inFlight, m.requests, m.latency, m.commits, m.commands, m.notifications, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Request counts one answered request. operation and code come from fixed
// tables, never from the client.
func (m *Metrics) Request(plane, operation, code string, took time.Duration) {
	m.requests.WithLabelValues(plane, operation, code).Inc()
	m.latency.WithLabelValues(plane, operation).Observe(took.Seconds())
}

// InFlight counts the requests that h is serving.
func (m *Metrics) InFlight(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerInFlight(m.inFlight, h)
}

// Committed counts one durable transaction and the commands that it carried.
func (m *Metrics) Committed(commands int) {
	m.commits.Inc()
	m.commands.Observe(float64(commands))
}

// Notified counts notifications that things are owed.
func (m *Metrics) Notified(n int) { m.notifications.Add(float64(n)) }

// Handler serves all instruments in the text format of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
