package dataplane

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
)

func TestTheJobThatANotificationNames(t *testing.T) {
	for _, tt := range []struct {
		topic, payload string
		want           string // thing and job; empty for none
	}{
		{"$aws/things/lamp/jobs/notify", `{"timestamp":1,"jobs":{"QUEUED":[{"jobId":"a"},{"jobId":"b"}]}}`, "lamp a"},
		{"$aws/things/lamp/jobs/notify-next", `{"timestamp":1,"execution":{"jobId":"a","statusDetails":{"jobId":"b"}}}`, "lamp a"},
		{"$aws/things/lamp/jobs/notify-namespace-x", `{"jobs":{"QUEUED":[{"jobId":"a"}]}}`, "lamp a"},
		{"$aws/things/lamp/jobs/notify", `{"timestamp":1,"jobs":{}}`, ""},
		{"$aws/things/lamp/jobs/notify-next", `{"timestamp":1}`, ""},
		{"$aws/things/lamp/jobs/notify-next", `{"execution":{"x":"\"jobId\":\"a\""}}`, ""},
		{"$aws/things/lamp/jobs/get/accepted", `{"jobs":[{"jobId":"a"}]}`, ""},
		{"news", `{"jobId":"a"}`, ""},
	} {
		got := ""
		if thing, job, ok := Notified(tt.topic, []byte(tt.payload)); ok {
			got = fmt.Sprint(thing, " ", job)
		}
		if got != tt.want {
			t.Errorf("%s %s names %q, want %q", tt.topic, tt.payload, got, tt.want)
		}
	}
}

func TestRequestsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Sight
		env := newEnv(t, newStore(t), packet.V5, func(o *Options, _ *service.Options) { o.Saw = func(s Sight) { told = append(told, s) } })
		for _, step := range []string{"given thing lamp", "given job fw for lamp {}"} {
			env.step(step)
			env.settle()
		}
		mqtt := func(operation, body string) func() {
			return func() {
				env.mqtt.Request(gateway.Request{Topic: "$aws/things/lamp/jobs/" + operation, Payload: []byte(body), ClientID: "lamp"}, func(string, []byte) {})
			}
		}
		http := func(method, target, body string, as identity.Caller) func() {
			return func() {
				env.http.ServeCaller(httptest.NewRecorder(), httptest.NewRequest(method, target, strings.NewReader(body)), as)
			}
		}
		later := func(do func()) func() { return func() { time.Sleep(time.Second); do() } }
		for _, tt := range []struct {
			do   func()
			want Sight
		}{
			{mqtt("get", ""), Sight{Operation: "GetPendingJobExecutions"}},
			{mqtt("$next/get", ""), Sight{Operation: "DescribeJobExecution"}},
			{mqtt("fw/update", `{"status":"QUEUED"}`), Sight{Operation: "UpdateJobExecution", Job: "fw", Code: "InvalidRequest", Message: "a device cannot set the status QUEUED"}},
			{mqtt("start-next", ""), Sight{Operation: "StartNextPendingJobExecution", Changed: true}},
			{later(mqtt("start-next", "")), Sight{Operation: "StartNextPendingJobExecution"}},
			{mqtt("fw/update", `{"status":"SUCCEEDED"}`), Sight{Operation: "UpdateJobExecution", Job: "fw", Changed: true}},
			{mqtt("fw/update", `{`), Sight{Operation: "UpdateJobExecution", Job: "fw", Code: "InvalidJson", Message: "the request payload is not a JSON object in UTF-8 at line 1, column 2: unexpected end of the text, expected a name in double quotes or '}'"}},
			{mqtt("nonsense", ""), Sight{Operation: "InvalidTopic", Code: "InvalidTopic", Message: "the topic names no operation"}},
			{http("PUT", "/things/lamp/jobs/$next", "{}", admin(t)), Sight{Operation: "StartNextPendingJobExecution", HTTPS: true}},
			{http("GET", "/things/lamp/jobs/none", "", admin(t)), Sight{Operation: "DescribeJobExecution", Job: "none", HTTPS: true, Code: "ResourceNotFound", Message: "Job execution for job none on thing lamp does not exist"}},
			{http("GET", "/things/lamp/jobs", "", identity.Caller{}), Sight{}},
		} {
			told = nil
			tt.do()
			if tt.want.Operation == "" {
				if len(told) > 0 {
					t.Errorf("told %+v of who may not", told)
				}
				continue
			}
			tt.want.Thing = "lamp"
			if len(told) != 1 || told[0] != tt.want {
				t.Errorf("told %+v, want %+v", told, tt.want)
			}
		}
	})
}

// What is told of in the contract's words is stored in diaries.
func TestDiariesHaveTheWordsOfRequests(t *testing.T) {
	s := newStore(t)
	defer s.Close()
	running := service.New(service.Options{Store: s, Account: account, Now: func() muster.Instant { return 1 }})
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- running.Run(ctx) }()
	defer func() { stop(); <-stopped }()
	if _, err := running.Registry.CreateThing(t.Context(), muster.Thing{Name: "lamp"}); err != nil {
		t.Fatal(err)
	}
	written, end := context.WithCancel(t.Context())
	end()
	check := func(q muster.Request) {
		t.Helper()
		running.Diary.Failed("lamp", q)
		if err := running.Diary.Run(written); err != nil {
			t.Fatal(err)
		}
		err := s.View(t.Context(), func(r store.Reader) error {
			d, err := diary.Of(r, "lamp")
			if d.Failed.Operation != q.Operation || d.Failed.Code != q.Code {
				t.Errorf("%+v is stored as %+v", q, d.Failed)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, operation := range operationNames {
		check(muster.Request{Operation: operation, Code: wordJSON.code})
	}
	for _, w := range append(words[:], wordTopic, wordJSON) {
		check(muster.Request{Operation: "UpdateJobExecution", Code: w.code})
	}
}
