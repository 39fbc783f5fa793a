package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/eventlog"
)

func TestACloudEventAsItIsSent(t *testing.T) {
	failed := eventlog.Event{
		ID: "6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02", Place: "000001a0c4875afb-00000003-00000000002a", At: 1790003600123, Type: muster.EventJobExecution, Operation: "failed",
		Execution: &muster.Execution{Job: "fw-12", Thing: "sensor-7", Details: map[string]string{"reason": "a < b"}},
	}
	want := `{"specversion":"1.0","id":"6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02","source":"arn:aws:iot:eu-west-1:111122223333",` +
		`"type":"io.github.muster-iot.jobExecution.failed","subject":"thing/sensor-7/job/fw-12","time":"2026-09-21T15:13:20.123Z",` +
		`"datacontenttype":"application/json","sequence":"000001a0c4875afb-00000003-00000000002a","data":{"eventType":"JOB_EXECUTION",` +
		`"eventId":"6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02","timestamp":1790003600,"operation":"failed","jobId":"fw-12",` +
		`"thingArn":"arn:aws:iot:eu-west-1:111122223333:thing/sensor-7","status":"FAILED","statusDetails":{"reason":"a < b"}}}`
	got := encode([]eventlog.Event{failed}, account, false)
	if strings.TrimSpace(string(got.text)) != want || got.contentType != "application/cloudevents+json; charset=utf-8" {
		t.Errorf("an event is sent as %s\n%s\nwant\n%s", got.contentType, got.text, want)
	}
	got = encode([]eventlog.Event{failed, failed}, account, true)
	if strings.TrimSpace(string(got.text)) != "["+want+","+want+"]" || got.contentType != "application/cloudevents-batch+json; charset=utf-8" {
		t.Errorf("two events are sent as %s\n%s", got.contentType, got.text)
	}
}

func TestACloudEventOfAnAuditRecord(t *testing.T) {
	created := eventlog.Event{
		ID: "6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02", Place: "000001a0c4875afb-00000003-00000000002a", At: 1790003600123, Type: muster.EventAudit, Operation: eventlog.Recorded,
		Subject: "b7e1", Audit: []byte(`{"operation":"CreateJob","user":"a < b"}`),
	}
	want := `{"specversion":"1.0","id":"6f0d8a0e-7a3c-4a0d-b6f1-2c9c3a9f4e02","source":"arn:aws:iot:eu-west-1:111122223333",` +
		`"type":"io.github.muster-iot.audit.recorded","subject":"audit/b7e1","time":"2026-09-21T15:13:20.123Z",` +
		`"datacontenttype":"application/json","sequence":"000001a0c4875afb-00000003-00000000002a","data":{"operation":"CreateJob","user":"a < b"}}`
	if got := encode([]eventlog.Event{created}, account, false); strings.TrimSpace(string(got.text)) != want {
		t.Errorf("an audit record is sent as\n%s\nwant\n%s", got.text, want)
	}
}

func TestWhatAnEventIsAbout(t *testing.T) {
	thing, group := &muster.Thing{Name: "lamp", Type: "light"}, &muster.Group{Name: "room", Parent: "house"}
	for _, tt := range []struct {
		of              eventlog.Event
		family, subject string
	}{
		{eventlog.Event{Type: muster.EventJob, Job: &muster.Job{ID: "fw"}}, "job", "job/fw"},
		{eventlog.Event{Type: muster.EventJobExecution, Execution: &muster.Execution{Job: "fw", Thing: "lamp"}}, "jobExecution", "thing/lamp/job/fw"},
		{eventlog.Event{Type: muster.EventThing, Thing: thing}, "thing", "thing/lamp"},
		{eventlog.Event{Type: muster.EventThingTypeAssociation, Thing: thing}, "thingTypeAssociation", "thing/lamp/thingtype/light"},
		{eventlog.Event{Type: muster.EventThingType, ThingType: &muster.ThingType{Name: "light"}}, "thingType", "thingtype/light"},
		{eventlog.Event{Type: muster.EventThingGroup, Group: group}, "thingGroup", "thinggroup/room"},
		{eventlog.Event{Type: muster.EventThingGroupHierarchy, Group: group}, "thingGroupHierarchy", "thinggroup/house/thinggroup/room"},
		{eventlog.Event{Type: muster.EventAudit, Subject: "6f0d8a0e"}, "audit", "audit/6f0d8a0e"},
		{eventlog.Event{Type: muster.EventThingGroupMembership, Group: group, Thing: thing}, "thingGroupMembership", "thinggroup/room/thing/lamp"},
	} {
		if family, subject := about(tt.of); family != tt.family || subject != tt.subject {
			t.Errorf("about(%s) = %s, %s; want %s, %s", tt.of.Type, family, subject, tt.family, tt.subject)
		}
	}
}

// received is a request as the operator's server sees it.
type received struct {
	path, contentType, signature string
	body                         string
}

// receive runs a hook against s until a request has come, and returns it; it reports
// false when a request failed first.
func receive(t *testing.T, s *httptest.Server, requests <-chan received, roots *x509.CertPool) (received, bool) {
	t.Helper()
	secret, err := NewSecret([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	var log notebook
	log.add(beginning, "lamp")
	h := New(Options{
		URL: s.URL + "/in", Secret: secret, Events: &log, Account: account, Roots: roots, Batch: 1, Attempts: 1, MaxAge: time.Hour,
		Now: beginning.Time, Clock: func() muster.Instant { return beginning },
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = h.Run(ctx) }()
	defer func() { stop(); <-ended }()
	select {
	case r := <-requests:
		return r, true
	case <-failure(ctx, h):
		return received{}, false
	}
}

// failure is closed when a request of h has failed.
func failure(ctx context.Context, h *Hook) <-chan struct{} {
	failed := make(chan struct{})
	go func() {
		for h.Stats().Failures == 0 && pause(ctx, time.Millisecond) {
		}
		close(failed)
	}()
	return failed
}

func listener(requests chan<- received) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/in" {
			requests <- received{r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get(SignatureHeader), string(text)}
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func TestARequestIsSigned(t *testing.T) {
	requests := make(chan received, 10)
	s := httptest.NewServer(listener(requests))
	defer s.Close()
	got, _ := receive(t, s, requests, nil)
	mac := hmac.New(sha256.New, []byte("0123456789abcdef"))
	mac.Write([]byte("1790000000." + got.body))
	if want := "t=1790000000,v1=" + hex.EncodeToString(mac.Sum(nil)); got.signature != want {
		t.Errorf("the signature is %q, want %q", got.signature, want)
	}
	if got.contentType != structured || !strings.Contains(got.body, `"thingName":"lamp"`) {
		t.Errorf("got %+v, want the event of lamp", got)
	}
}

func TestTheServersCertificateMustBeKnown(t *testing.T) {
	requests := make(chan received, 10)
	s := httptest.NewUnstartedServer(listener(requests))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // its certificate is refused once
	s.StartTLS()
	defer s.Close()
	if _, ok := receive(t, s, requests, nil); ok {
		t.Error("a server with an unknown certificate was told an event")
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if _, ok := receive(t, s, requests, roots); !ok {
		t.Error("a server with a known certificate was told nothing")
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := make(chan received, 10)
	other := httptest.NewServer(listener(elsewhere))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL+"/in", http.StatusTemporaryRedirect))
	defer s.Close()
	if got, ok := receive(t, s, elsewhere, nil); ok {
		t.Errorf("the event went elsewhere: %+v", got)
	}
}
