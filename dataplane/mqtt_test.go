package dataplane

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/service"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/turns"
)

var _ gateway.Reserved = (*MQTT)(nil)

func TestUse(t *testing.T) {
	for topic, want := range map[string]gateway.Use{
		"$aws/things/lamp/jobs/get":                     gateway.Served,
		"$aws/things/lamp/jobs/$next/namespace-gg/get":  gateway.Served,
		"$aws/things/lamp/jobs/bogus":                   gateway.Served, // to be refused by name
		"$aws/things/lamp/jobs/get/accepted":            gateway.Ignored,
		"$aws/things/lamp/jobs/fw/update/rejected":      gateway.Ignored,
		"$aws/things/lamp/jobs/notify":                  gateway.Forbidden,
		"$aws/things/lamp/jobs/notify-next-namespace-x": gateway.Forbidden,
		"$aws/things/lamp/shadow/update":                gateway.Forbidden,
		"$aws/events/job/fw/completed":                  gateway.Forbidden,
		"$SYS/x":                                        gateway.Forbidden,
	} {
		if got := new(MQTT).Use(topic); got != want {
			t.Errorf("Use(%q) = %v, want %v", topic, got, want)
		}
	}
}

// brokenStore fails every call, as a full disk would.
type brokenStore struct{ store.Store }

var errDisk = errors.New("disk /dev/sda1 is full")

func (brokenStore) View(context.Context, func(store.Reader) error) error { return errDisk }
func (brokenStore) Apply(context.Context, func(store.Tx) error) (func() error, error) {
	return nil, errDisk
}

func TestFaultsOverBothWires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		env := newEnv(t, brokenStore{memstore.New()}, packet.V5, func(o *Options, _ *service.Options) {
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		env.step(`send $aws/things/lamp/jobs/get {"clientToken":"t"}`)
		env.step(`send $aws/things/lamp/jobs/start-next`)
		env.step(`send PUT /things/lamp/jobs/$next {}`)
		synctest.Wait()
		want := strings.Join([]string{
			"expect 503 ServiceUnavailableException",
			`       {"message":"An internal error occurred. Try again later."}`,
			"expect $aws/things/lamp/jobs/get/rejected",
			`       {"clientToken":"t","timestamp":1790000000,"code":"InternalError","message":"An internal error occurred. Try again later."}`,
			"expect $aws/things/lamp/jobs/start-next/rejected",
			`       {"timestamp":1790000000,"code":"InternalError","message":"An internal error occurred. Try again later."}`,
		}, "\n")
		if got := strings.Join(env.heard(), "\n"); got != want {
			t.Errorf("with a broken disk devices hear\n%s, want\n%s", got, want)
		}
		if n := strings.Count(log.String(), errDisk.Error()); n != 3 {
			t.Errorf("the log tells %d times that %v, want 3:\n%s", n, errDisk, log.String())
		}
	})
}

func TestThrottledRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V311, func(o *Options, _ *service.Options) {
			o.ReadsPerSecond, o.WritesPerSecond = 1, 1
		})
		env.step("given thing lamp")
		env.step("send $aws/things/lamp/jobs/get")
		env.step("send $aws/things/lamp/jobs/start-next")
		env.step(`send $aws/things/lamp/jobs/get {"clientToken":"t"}`)
		env.step("send PUT /things/lamp/jobs/$next {}")
		env.settle()
		want := strings.Join([]string{
			"expect 429 ThrottlingException",
			`       {"message":"Too many requests"}`,
			"expect $aws/things/lamp/jobs/get/accepted",
			`       {"timestamp":1790000000,"inProgressJobs":[],"queuedJobs":[]}`,
			"expect $aws/things/lamp/jobs/start-next/accepted",
			`       {"timestamp":1790000000}`,
			"expect $aws/things/lamp/jobs/get/rejected",
			`       {"clientToken":"t","timestamp":1790000000,"code":"RequestThrottled","message":"Too many requests"}`,
		}, "\n")
		if got := strings.Join(env.heard(), "\n"); got != want {
			t.Errorf("of two requests of each class devices hear\n%s, want\n%s", got, want)
		}
	})
}

// Background work gives way to whoever asks, by any protocol.
func TestARequestSaysThatSomebodyAsks(t *testing.T) {
	for _, step := range []string{"send $aws/things/lamp/jobs/get", "send GET /things/lamp/jobs"} {
		synctest.Test(t, func(t *testing.T) {
			all := turns.New(turns.Options{Processors: 2, Now: time.Now})
			env := newEnv(t, newStore(t), packet.V311, func(o *Options, _ *service.Options) { o.Turns = all })
			env.step("given thing lamp")
			env.settle()
			if all.Asking() {
				t.Error("somebody asks before there was a request")
			}
			env.step(step)
			env.settle()
			if !all.Asking() {
				t.Errorf("nobody asks after %q", step)
			}
			env.heard()
		})
	}
}

// TestLogAndMetrics checks the entries of jobs-events.md section 5.
func TestLogAndMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		plain := slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "took" {
				return slog.Attr{}
			}
			return a
		}}
		env := newEnv(t, newStore(t), packet.V5, func(o *Options, _ *service.Options) {
			o.Log = slog.New(slog.NewTextHandler(&log, &plain))
		})
		for _, step := range []string{
			"given thing lamp", "given job fw for lamp {}",
			`send $aws/things/lamp/jobs/get {"clientToken":"t-\u0031"}`,
			`send $aws/things/lamp/jobs/fw/update {"status":"IN_PROGRESS"}`,
			`send $aws/things/lamp/jobs/fw/update {"status":"SUCCESS","clientToken":"t-2"}`,
			`send $aws/things/lamp/jobs/x/y`,
			`send GET /things/lamp/jobs/$next`,
		} {
			env.step(step)
			env.settle()
		}
		want := strings.TrimLeft(`
level=DEBUG msg="device request" accountId=000000000000 eventType=GetPendingJobExecution protocol=MQTT clientId=lamp thingName=lamp topicName=$aws/things/lamp/jobs/get clientToken=t-1 status=Success details="The request status is SUCCESS."
level=DEBUG msg="device request" accountId=000000000000 eventType=UpdateJobExecution protocol=MQTT clientId=lamp thingName=lamp topicName=$aws/things/lamp/jobs/fw/update jobId=fw versionNumber=2 status=Success details="The destination status is IN_PROGRESS. The request status is SUCCESS."
level=ERROR msg="device request" accountId=000000000000 eventType=UpdateJobExecution protocol=MQTT clientId=lamp thingName=lamp topicName=$aws/things/lamp/jobs/fw/update jobId=fw clientToken=t-2 code=InvalidRequest error="1 validation error detected: Value 'SUCCESS' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, TIMED_OUT, REJECTED, REMOVED, CANCELED]" status=Failure details="The request status is FAILURE."
level=ERROR msg="device request" accountId=000000000000 eventType=InvalidTopic protocol=MQTT clientId=lamp thingName=lamp topicName=$aws/things/lamp/jobs/x/y code=InvalidTopic error="the topic names no operation" status=Failure details="The request status is FAILURE."
level=DEBUG msg="device request" accountId=000000000000 eventType=DescribeJobExecution protocol=HTTP clientId=arn:aws:iam::000000000000:user/admin thingName=lamp jobId=$next status=Success details="The request status is SUCCESS."
`, "\n")
		if log.String() != want {
			t.Errorf("the log is\n%s, want\n%s", log.String(), want)
		}
		observed := []Observation{
			{Operation: "GetPendingJobExecutions", Plane: "mqtt", Code: "ok"},
			{Operation: "UpdateJobExecution", Plane: "mqtt", Code: "ok"},
			{Operation: "UpdateJobExecution", Plane: "mqtt", Code: "InvalidRequest"},
			{Operation: "InvalidTopic", Plane: "mqtt", Code: "InvalidTopic"},
			{Operation: "DescribeJobExecution", Plane: "http", Code: "ok"},
		}
		if !reflect.DeepEqual(env.observed, observed) {
			t.Errorf("observed %v, want %v", env.observed, observed)
		}
	})
}

func TestTheReplyComesBeforeTheNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t, newStore(t), packet.V5)
		for _, step := range []string{
			"given thing lamp", "subscribe $aws/things/lamp/jobs/notify $aws/things/lamp/jobs/notify-next",
			"given job one for lamp {}", "given job two for lamp {}",
		} {
			env.step(step)
			env.settle()
		}
		env.heard()
		// Sent in one go, so that they are committed together.
		env.client(lamp).Send(
			&packet.Publish{Topic: "$aws/things/lamp/jobs/one/update", Payload: []byte(`{"status":"SUCCEEDED","clientToken":"1"}`)},
			&packet.Publish{Topic: "$aws/things/lamp/jobs/two/update", Payload: []byte(`{"status":"SUCCEEDED","clientToken":"2"}`)},
		)
		env.settle()
		var topics []string
		for _, line := range env.heard() {
			if topic, ok := strings.CutPrefix(line, "expect $aws/things/lamp/jobs/"); ok {
				topics = append(topics, topic)
			}
		}
		place := map[string]int{}
		for i, topic := range topics {
			place[topic] = i
		}
		if len(topics) != 6 || topics[0] != "one/update/accepted" || place["two/update/accepted"] > place["notify"] {
			t.Errorf("two updates are answered by %v, want each reply before its notify and notify-next", topics)
		}
	})
}
