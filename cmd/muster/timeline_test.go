package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/sigv4"
)

const pumpARN = "arn:aws:iot:us-east-1:000000000000:thing/pump"

// timelines is a server whose test clock shows the year 2030.
type timelines struct {
	*dialogue
	api   *apiclient.Client
	admin sigv4.Credential
	data  string
}

func newTimelines(t *testing.T, change ...func(*Config)) *timelines {
	t.Helper()
	c := defaultConfig()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.API, c.MQTTS, c.HTTPS, c.Files.Address, c.Metrics, c.MQTTPlain, c.TestClock = "127.0.0.1:0", "", "", "", "", "127.0.0.1:0", true
	for _, fn := range change {
		fn(&c)
	}
	d, stop := serveHere(t, c)
	t.Cleanup(stop)
	admin, err := identity.ReadProfile(d.ready.CredentialsFile)
	if err != nil {
		t.Fatal(err)
	}
	api, err := clientOf(d.ready)
	if err != nil {
		t.Fatal(err)
	}
	s := &timelines{d, api, admin, c.Data}
	s.call("POST", "/muster/v1/clock", object{"set": "2030-01-01T00:00:00Z"}, nil)
	return s
}

func (s *timelines) call(method, path string, body, answer any) {
	s.t.Helper()
	for len(s.log) > 0 { // else the server waits for somebody to read it
		<-s.log
	}
	if err := s.api.Call(s.t.Context(), method, path, body, answer); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (s *timelines) advance(by string) {
	s.t.Helper()
	s.call("POST", "/muster/v1/clock", object{"advance": by}, nil)
}

// job makes a job with a target, and waits until its things have it.
func (s *timelines) job(id, target string, with object) {
	s.t.Helper()
	job := object{"targets": []string{target}, "document": "{}"}
	maps.Copy(job, with)
	s.call("PUT", "/jobs/"+id, job, nil)
	s.advance("1s")
}

// start has the pump ask for its next job, and report on it what is not nil.
func (s *timelines) start(report object) {
	s.t.Helper()
	var next struct{ Execution struct{ JobID string } }
	s.call("PUT", "/things/pump/jobs/$next", object{}, &next)
	if next.Execution.JobID == "" {
		s.t.Fatal("nothing pends for the pump")
	}
	s.advance("10s")
	if report != nil {
		s.call("POST", "/things/pump/jobs/"+next.Execution.JobID, report, nil)
	}
	s.advance("20s")
}

// page returns a page of the timeline of the pump.
func (s *timelines) page(query url.Values) (page operator.Timeline) {
	s.t.Helper()
	s.call("GET", "/muster/v1/things/pump/timeline?"+query.Encode(), nil, &page)
	return page
}

// A timeline shows everything that is known of a thing, with the numbers of the test clock.
func TestTheTimelineOfAThing(t *testing.T) {
	s := newTimelines(t)
	s.call("POST", "/things/pump", object{}, nil)
	s.call("POST", "/things/idle", object{}, nil)
	var made struct{ CertificateArn, CertificateID string }
	s.call("POST", "/keys-and-certificate?setAsActive=true", object{}, &made)
	s.attach("pump", made.CertificateArn)

	s.job("done", pumpARN, nil)
	s.start(object{"status": "SUCCEEDED", "statusDetails": object{"version": "2.4.1"}})
	s.job("refused", pumpARN, nil)
	s.start(object{"status": "REJECTED"})
	s.job("late", pumpARN, object{
		"timeoutConfig":            object{"inProgressTimeoutInMinutes": 60},
		"jobExecutionsRetryConfig": object{"criteriaList": []object{{"failureType": "TIMED_OUT", "numberOfRetries": 1}}},
	})
	s.start(nil)
	s.advance("61m")
	s.start(object{"status": "IN_PROGRESS", "statusDetails": object{"step": "verify"}, "stepTimeoutInMinutes": 30})
	s.job("next", pumpARN, nil)
	s.job("taken-back", pumpARN, nil)
	s.call("PUT", "/jobs/taken-back/cancel", object{}, nil)
	s.job("ends", pumpARN, object{"schedulingConfig": object{"endTime": "2030-01-03 00:00", "endBehavior": "CANCEL", "startTime": "2030-01-01 02:00"}})
	s.call("PUT", "/thing-groups/addThingToThingGroup", object{"thingGroupName": s.group("hall"), "thingName": "pump"}, nil)
	nightly := object{"targetSelection": "CONTINUOUS", "jobExecutionsRetryConfig": object{"criteriaList": []object{{"failureType": "FAILED", "numberOfRetries": 2}}}, "schedulingConfig": object{"maintenanceWindows": []object{{"startTime": "cron(0 2 * * ? *)", "durationInMinutes": 60}}}}
	s.job("nightly", "arn:aws:iot:us-east-1:000000000000:thinggroup/hall", nightly)
	s.job("spaced", pumpARN, object{"namespaceId": "other"})

	s.hide = strings.NewReplacer(made.CertificateID[:8], "CERTIFICATE")
	const path = "/muster/v1/things/pump/timeline"
	s.indented("before the window", path)
	s.call("POST", "/muster/v1/clock", object{"set": "2030-01-01T02:00:01Z"}, nil)
	s.indented("in the window, both timers over", path)
	for _, status := range []string{"IN_PROGRESS", "FAILED", "IN_PROGRESS"} {
		s.call("POST", "/things/pump/jobs/nightly", object{"status": status}, nil)
		s.advance("1m")
	}
	s.call("POST", "/muster/v1/clock", object{"set": "2030-01-01T03:30:00Z"}, nil)
	s.call("POST", "/things/pump/jobs/nightly", object{"status": "FAILED", "statusDetails": object{"reason": "no power"}}, nil)
	s.indented("after the window, with a retry that waits", path+"?from=2030-01-01T01:30:00Z")
	s.call("POST", "/muster/v1/clock", object{"set": "2030-01-04T03:30:00Z"}, nil)
	s.indented("days later, outside the window", path+"?from=2030-01-01T01:00:00Z&to=2030-01-02T00:00:00%2B01:00&limit=500")
	s.indented("a thing to which nothing happened", "/muster/v1/things/idle/timeline")
	s.compare("timeline")
}

// attach attaches a certificate to a thing.
func (s *timelines) attach(thing, certificate string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "PUT", s.ready.APIURL+"/things/"+thing+"/principals", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Amzn-Principal", certificate)
	sigv4.Sign(r, nil, s.admin, s.ready.Region, "iot", time.Now())
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("attach: %v, %v", answer, err)
	}
	answer.Body.Close()
}

func (s *timelines) group(name string) string {
	s.t.Helper()
	if _, err := s.api.CreateGroup(s.t.Context(), name); err != nil {
		s.t.Fatal(err)
	}
	return name
}

// indented writes down the answer to a GET.
func (s *timelines) indented(what, path string) {
	s.t.Helper()
	var answer json.RawMessage
	s.call("GET", path, nil, &answer)
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(&s.said, "%s: GET %s\n%s\n\n", what, path, s.hide.Replace(string(text)))
}

// What the key of the caller does not allow is refused, whether the thing exists or not, and so is what makes no sense.
func TestTheTimelineIsRefused(t *testing.T) {
	s := newTimelines(t)
	s.call("POST", "/things/pump", object{}, nil)
	s.call("POST", "/things/other", object{}, nil)
	s.job("a", pumpARN, nil)
	s.job("b", pumpARN, nil)
	weak := addKey(t, s.data, `{"Effect":"Allow","Action":["iot:*","muster:DescribeTimeline"],"Resource":["arn:aws:iot:us-east-1:000000000000:thing/other"]}`)
	s.hide = strings.NewReplacer(s.admin.AccessKeyID, "ADMIN", weak.AccessKeyID, "WEAK")
	first := s.page(url.Values{"limit": {"1"}})
	token := url.Values{"nextToken": {first.Older}}.Encode()
	for _, thing := range []string{"pump", "nothing", "a%2Fb"} {
		s.ask(weak, "GET", "/muster/v1/things/"+thing+"/timeline", "", "")
	}
	for _, target := range []string{
		"nothing/timeline", "a%2Fb/timeline", "/timeline",
		"pump/timeline?limit=0", "pump/timeline?limit=501", "pump/timeline?limit=x", "pump/timeline?limit=1&limit=1",
		"pump/timeline?from=yesterday", "pump/timeline?from=2030-01-01", "pump/timeline?from=2030-01-01T00:00:00Z&to=2030-01-01T00:00:00Z",
		"pump/timeline?thing=other", "pump/timeline?nextToken=", "pump/timeline?nextToken=AAAA", "pump/timeline?%zz",
	} {
		s.ask(s.admin, "GET", "/muster/v1/things/"+target, "", "")
	}
	for _, target := range []string{"other/timeline?", "pump/timeline?from=2030-01-01T00:00:00Z&"} { // the token of another list
		s.ask(s.admin, "GET", "/muster/v1/things/"+target+token, "", "")
	}
	s.ask(s.admin, "POST", "/muster/v1/things/pump/timeline", "{}", "")
	said := strings.ReplaceAll(s.said.String(), token, "TOKEN")
	s.said.Reset()
	s.said.WriteString(said)
	s.compare("timelinerefused")
}

// A thing with many executions is read in pages, without a gap and without repetition, while more come.
func TestTheTimelineInPages(t *testing.T) {
	const many = 1000
	s := newTimelines(t)
	s.call("POST", "/things/pump", object{}, nil)
	for i := range many {
		s.call("PUT", fmt.Sprintf("/jobs/job-%04d", i), object{"targets": []string{pumpARN}, "document": "{}"}, nil)
		if i%100 == 99 {
			s.advance("1s")
		}
	}
	var seen []string
	query := url.Values{"limit": {"300"}}
	for pages := 0; ; pages++ {
		page := s.page(query)
		if wantUpcoming := pages == 0; len(page.Upcoming) > 0 != wantUpcoming {
			t.Errorf("page %d has %d things to come", pages+1, len(page.Upcoming))
		}
		for _, l := range page.Lanes {
			if l.Kind != "execution" || len(l.Spans) != 1 {
				t.Fatalf("%+v", l)
			}
			seen = append(seen, string(l.Job))
		}
		if pages == 1 {
			s.job("meanwhile", pumpARN, nil)
		}
		if page.Older == "" {
			break
		}
		query.Set("nextToken", page.Older)
	}
	if !slices.Contains(seen, "job-0000") || slices.Contains(seen, "meanwhile") || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != many {
		t.Errorf("%d executions in the pages, want %d", len(seen), many)
	}
	if first, last := seen[:100], seen[many-100:]; !strings.HasPrefix(slices.Min(first), "job-09") || !strings.HasPrefix(slices.Max(last), "job-00") {
		t.Errorf("not the newest first: %s … %s", seen[0], seen[many-1])
	}
}

// The connection is a lane of its own, and its end says why.
func TestTheTimelineShowsTheConnection(t *testing.T) {
	s := newTimelines(t)
	s.call("POST", "/things/pump", object{}, nil)
	conn, err := net.Dial("tcp", s.ready.MQTTAddr)
	if err != nil {
		t.Fatal(err)
	}
	c := mqtttest.New(t, conn, packet.V5)
	c.Connect(packet.Connect{ClientID: "pump", KeepAlive: 60})
	await := func(connected bool) operator.Timeline {
		t.Helper()
		for range 100 {
			if page := s.page(nil); page.Connection != nil && page.Connection.Connected == connected {
				return page
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("connected is never %v: %+v", connected, s.page(nil))
		return operator.Timeline{}
	}
	page := await(true)
	if len(page.Lanes) != 1 || page.Lanes[0].Kind != "connection" || len(page.Lanes[0].Spans) != 1 || page.Lanes[0].Spans[0].From == nil || page.Lanes[0].Spans[0].To != nil || page.Connection.Reason != "" {
		t.Errorf("while it is connected: %+v", page)
	}
	c.Send(&packet.Disconnect{})
	page = await(false)
	if page.Connection.Reason != "CLIENT_INITIATED_DISCONNECT" || len(page.Lanes) != 1 || page.Lanes[0].Spans[0].To == nil || page.Lanes[0].Spans[0].Ended != page.Connection.Reason {
		t.Errorf("after it has gone: %+v", page)
	}
	if since := page.Connection.Since.String(); !regexp.MustCompile(`^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(since) {
		t.Errorf("since %s, want RFC 3339 with milliseconds", since)
	}
}
