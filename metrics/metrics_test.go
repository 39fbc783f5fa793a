package metrics_test

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/door"
	"github.com/muster-iot/muster/metrics"
)

func TestEveryInstrumentShowsItsFigure(t *testing.T) {
	m := metrics.New("v0-test")
	m.Gateway(func() gateway.Stats { return gateway.Stats{Connections: 7, PacketsIn: 42} })
	m.Door(func() door.Stats { return door.Stats{Waiting: 2, Shed: 9} })
	m.Executions(func(context.Context) (muster.Counts, error) {
		return muster.Counts{}.Add(muster.Queued, 3).Add(muster.TimedOut, 1), nil
	})
	m.Request("control", "CreateJob", "200", 3*time.Millisecond)
	m.Request("control", "CreateJob", "200", 7*time.Millisecond)
	m.Committed(5)
	m.Notified(2)
	trips := m.Database()
	trips(2, true)
	trips(3, true)
	trips(1, false)

	recorder := httptest.NewRecorder()
	m.InFlight(m.Handler()).ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`muster_build_info{version="v0-test"} 1`,
		`muster_requests_total{code="200",operation="CreateJob",plane="control"} 2`,
		`muster_request_duration_seconds_bucket{operation="CreateJob",plane="control",le="0.005"} 1`,
		`muster_http_requests_in_flight 1`,
		`muster_store_commits_total 1`,
		`muster_store_commit_commands_sum 5`,
		`muster_notifications_total 2`,
		`muster_store_trips_total{what="commit"} 5`,
		`muster_store_transactions_total{what="commit"} 2`,
		`muster_store_trips_total{what="view"} 1`,
		`muster_mqtt_connections 7`,
		`muster_mqtt_packets_in_total 42`,
		`muster_tls_waiting 2`,
		`muster_tls_shed_total 9`,
		`muster_executions{status="QUEUED"} 3`,
		`muster_executions{status="TIMED_OUT"} 1`,
		`muster_executions{status="FAILED"} 0`,
		`go_goroutines `,
	} {
		if !strings.Contains(string(body), "\n"+want) {
			t.Errorf("GET /metrics lacks %q", want)
		}
	}
}

func TestAFailingCountLeavesTheRestInPlace(t *testing.T) {
	m := metrics.New("v0-test")
	m.Executions(func(context.Context) (muster.Counts, error) { return muster.Counts{}, io.ErrUnexpectedEOF })
	m.Committed(1)

	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	body := recorder.Body.String()
	if !strings.Contains(body, "\nmuster_store_commits_total 1\n") {
		t.Errorf("GET /metrics lacks the commits after a failed count:\n%s", body)
	}
	if strings.Contains(body, "\nmuster_executions{") {
		t.Errorf("GET /metrics shows executions after a failed count")
	}
}
