package dataplane

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
	"github.com/muster-iot/muster/store"
)

const t0 = muster.Instant(1_790_000_000_999) // floors to 1790000000

var (
	queuedEntry  = muster.Entry{Job: "cfg-7", Number: 1, Version: 1, Status: muster.Queued, QueuedAt: t0, UpdatedAt: t0}
	startedEntry = muster.Entry{Job: "fw-12", Number: 2, Version: 3, Status: muster.InProgress, QueuedAt: t0, StartedAt: t0.Add(1e9), UpdatedAt: t0.Add(2e9)}

	started = muster.Execution{
		Thing: "lamp", Job: "fw-12", Number: 2, Version: 3, Status: muster.InProgress,
		Details:  map[string]string{"step": "down\"load\\", "a": "line\nü\t"},
		QueuedAt: t0, StartedAt: t0.Add(1e9), UpdatedAt: t0.Add(2e9), JobDeadline: t0.Add(60e9),
	}
	queued   = muster.Execution{Thing: "lamp", Job: "cfg-7", Number: 1, Version: 1, Status: muster.Queued, QueuedAt: t0, UpdatedAt: t0}
	document = "{ \"b\": 1.50,\n\t\"a\" : [ 1e400, \" { \\\" } \" ],\"c\":{ }\r\n}"
)

const (
	summaries    = `"inProgressJobs":[{"jobId":"fw-12","queuedAt":1790000000,"lastUpdatedAt":1790000002,"startedAt":1790000001,"executionNumber":2,"versionNumber":3}],"queuedJobs":[{"jobId":"cfg-7","queuedAt":1790000000,"lastUpdatedAt":1790000000,"executionNumber":1,"versionNumber":1}]`
	startedState = `"status":"IN_PROGRESS","statusDetails":{"a":"line\nü\t","step":"down\"load\\"}`
	startedTimes = `"queuedAt":1790000000,"startedAt":1790000001,"lastUpdatedAt":1790000002,"versionNumber":3,"executionNumber":2,"approximateSecondsBeforeTimedOut":50`
	compacted    = `{"b":1.50,"a":[1e400," { \" } "],"c":{}}`
	verbatim     = `"{ \"b\": 1.50,\n\t\"a\" : [ 1e400, \" { \\\" } \" ],\"c\":{ }\r\n}"`
)

func TestAcceptedReplies(t *testing.T) {
	at := t0.Add(10e9)
	pending := jobs.Pending{At: at, InProgress: []muster.Entry{startedEntry}, Queued: []muster.Entry{queuedEntry}}
	tests := []struct {
		name       string
		r          request
		a          answer
		mqtt, http string
	}{
		{
			"the list", request{Topic: Topic{Kind: GetPending}}, answer{pending: pending},
			summaries, summaries,
		}, {
			"an empty list", request{Topic: Topic{Kind: GetPending}}, answer{pending: jobs.Pending{At: at}},
			`"inProgressJobs":[],"queuedJobs":[]`, `"inProgressJobs":[],"queuedJobs":[]`,
		}, {
			"an execution with all there can be", request{Topic: Topic{Kind: Describe}},
			answer{described: jobs.Described{At: at, Execution: &started, Document: &document}},
			`"execution":{"jobId":"fw-12",` + startedState + `,` + startedTimes + `,"jobDocument":` + compacted + `}`,
			`"execution":{"jobId":"fw-12","thingName":"lamp",` + startedState + `,` + startedTimes + `,"jobDocument":` + verbatim + `}`,
		}, {
			"an execution with as little as there can be", request{Topic: Topic{Kind: StartNext}},
			answer{described: jobs.Described{At: at, Execution: &queued}},
			`"execution":{"jobId":"cfg-7","status":"QUEUED","queuedAt":1790000000,"lastUpdatedAt":1790000000,"versionNumber":1,"executionNumber":1}`,
			`"execution":{"jobId":"cfg-7","thingName":"lamp","status":"QUEUED","queuedAt":1790000000,"lastUpdatedAt":1790000000,"versionNumber":1,"executionNumber":1}`,
		}, {
			"nothing to start", request{Topic: Topic{Kind: StartNext}}, answer{described: jobs.Described{At: at}}, ``, ``,
		}, {
			"a plain update", request{Topic: Topic{Kind: Update}}, answer{described: jobs.Described{At: at, Execution: &started}}, ``, ``,
		}, {
			"an update that asks for both", request{Topic: Topic{Kind: Update}, withState: true, withDocument: true},
			answer{described: jobs.Described{At: at, Execution: &started, Document: &document}},
			`"executionState":{` + startedState + `,"versionNumber":3},"jobDocument":` + compacted,
			`"executionState":{` + startedState + `,"versionNumber":3},"jobDocument":` + verbatim,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.token = []byte(`"t\u002d1"`)
			want := `{"clientToken":"t\u002d1","timestamp":1790000010`
			if tt.mqtt != "" {
				want += "," + tt.mqtt
			}
			checkJSON(t, "the reply over MQTT", appendAccepted(nil, overMQTT, &tt.r, tt.a), want+"}")
			checkJSON(t, "the answer over HTTP", appendAccepted(nil, overHTTP, &tt.r, tt.a), "{"+tt.http+"}")

			tt.r.token = nil
			want = strings.Replace(want, `"clientToken":"t\u002d1",`, "", 1)
			checkJSON(t, "the reply without a token", appendAccepted(nil, overMQTT, &tt.r, tt.a), want+"}")
		})
	}
}

func checkJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("%s is\n%s, want\n%s", what, got, want)
	}
	if !json.Valid(got) {
		t.Errorf("%s is not JSON: %s", what, got)
	}
}

func TestRejectedReplies(t *testing.T) {
	r := &request{token: []byte(`"t"`)}
	f := refusal{word: wordVersion, message: `Expected version 9 but found version 1`, shown: &queued}
	checkJSON(t, "a refusal over MQTT", appendRejected(nil, overMQTT, r, f, t0),
		`{"clientToken":"t","timestamp":1790000000,"code":"VersionMismatch","message":"Expected version 9 but found version 1","executionState":{"status":"QUEUED","versionNumber":1}}`)
	checkJSON(t, "the same over HTTP", appendRejected(nil, overHTTP, r, f, t0),
		`{"message":"Expected version 9 but found version 1","executionState":{"status":"QUEUED","versionNumber":1}}`)
	f = refusal{word: wordJSON, message: "a \"b\"\x01\u2028"}
	checkJSON(t, "a refusal without state", appendRejected(nil, overMQTT, &request{}, f, t0),
		"{\"timestamp\":1790000000,\"code\":\"InvalidJson\",\"message\":\"a \\\"b\\\"\\u0001\u2028\"}")
}

func TestNotifications(t *testing.T) {
	note := func(entries ...muster.Entry) jobs.Notification {
		return jobs.Notification{QueueKey: store.QueueKey{Thing: "lamp"}, At: t0, Queue: muster.Queue{Thing: "lamp", Entries: entries}}
	}
	checkJSON(t, "the list notification of an empty queue", appendNotify(nil, note()), `{"timestamp":1790000000,"jobs":{}}`)
	checkJSON(t, "that of a queue without a job in progress", appendNotify(nil, note(queuedEntry)),
		`{"timestamp":1790000000,"jobs":{"QUEUED":[{"jobId":"cfg-7","queuedAt":1790000000,"lastUpdatedAt":1790000000,"executionNumber":1,"versionNumber":1}]}}`)
	checkJSON(t, "that of a queue with both", appendNotify(nil, note(queuedEntry, startedEntry)),
		`{"timestamp":1790000000,"jobs":{"IN_PROGRESS":[{"jobId":"fw-12","queuedAt":1790000000,"lastUpdatedAt":1790000002,"startedAt":1790000001,"executionNumber":2,"versionNumber":3}],`+
			`"QUEUED":[{"jobId":"cfg-7","queuedAt":1790000000,"lastUpdatedAt":1790000000,"executionNumber":1,"versionNumber":1}]}}`)

	n := note()
	checkJSON(t, "the next notification of an empty queue", appendNotifyNext(nil, n, ""), `{"timestamp":1790000000}`)
	n.Head = &queued
	checkJSON(t, "that of another", appendNotifyNext(nil, n, document),
		`{"timestamp":1790000000,"execution":{"jobId":"cfg-7","status":"QUEUED","queuedAt":1790000000,"lastUpdatedAt":1790000000,"versionNumber":1,"executionNumber":1,"jobDocument":`+compacted+`}}`)
}

func TestTheListNotificationIsCapped(t *testing.T) {
	var entries []muster.Entry
	for i := range 30 {
		e := queuedEntry
		e.Job = muster.JobID(string(rune('A'+i/10)) + string(rune('0'+i%10)))
		e.Windowed = i >= 20
		entries = append(entries, e)
	}
	b := appendNotify(nil, jobs.Notification{At: t0, Queue: muster.Queue{Entries: entries}})
	var m struct {
		Jobs map[string][]struct{ JobID string }
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if got := len(m.Jobs["QUEUED"]); got != muster.PlainCap+muster.WindowedCap {
		t.Errorf("the notification of 30 pending executions lists %d, want %d", got, muster.PlainCap+muster.WindowedCap)
	}
}

func TestTimeLeft(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   muster.Instant
		want string
	}{
		{"is floored", started.JobDeadline - 1999, `"approximateSecondsBeforeTimedOut":1`},
		{"is never negative", started.JobDeadline + 5000, `"approximateSecondsBeforeTimedOut":0`},
	} {
		got := appendAccepted(nil, overHTTP, &request{Topic: Topic{Kind: Describe}}, answer{described: jobs.Described{At: tt.at, Execution: &started}})
		if !strings.Contains(string(got), tt.want) {
			t.Errorf("time left %s: got %s, want it to hold %s", tt.name, got, tt.want)
		}
	}
}

func TestStringsSurviveEncoding(t *testing.T) {
	for _, s := range []string{"", "plain", "\"\\/", "\x00\x01\x1f\x7f\n\r\t\b\f", "ü☃😀\u2028\ufeff", "<&>"} {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != s {
			t.Errorf("appendString(%q) = %s, which reads back as %q, %v", s, appendString(nil, s), back, err)
		}
	}
}

func BenchmarkAppendUpdateAccepted(b *testing.B) {
	r := &request{Topic: Topic{Kind: Update}, token: []byte(`"5f1b7a0e-2d4c-4b8e-9a77-0c5d1e6f7a8b"`)}
	a := answer{described: jobs.Described{At: t0, Execution: &started}}
	b.ReportAllocs()
	for b.Loop() {
		appendAccepted(make([]byte, 0, replySize(r, a)), overMQTT, r, a)
	}
}

func BenchmarkAppendStartNextAccepted(b *testing.B) {
	r := &request{Topic: Topic{Kind: StartNext}, token: []byte(`"5f1b7a0e-2d4c-4b8e-9a77-0c5d1e6f7a8b"`)}
	a := answer{described: jobs.Described{At: t0, Execution: &started, Document: &document}}
	b.ReportAllocs()
	for b.Loop() {
		appendAccepted(make([]byte, 0, replySize(r, a)), overMQTT, r, a)
	}
}

func BenchmarkAppendLargeDocument(b *testing.B) {
	large := `{"data":"` + strings.Repeat("x", 30<<10) + `"}`
	a := answer{described: jobs.Described{At: t0, Execution: &started, Document: &large}}
	buf := make([]byte, 0, 64<<10)
	b.SetBytes(int64(len(large)))
	for b.Loop() {
		appendAccepted(buf, overMQTT, &request{Topic: Topic{Kind: StartNext}}, a)
	}
}

func BenchmarkAppendNotify(b *testing.B) {
	n := jobs.Notification{At: t0, Queue: muster.Queue{Entries: []muster.Entry{queuedEntry, startedEntry}}}
	b.ReportAllocs()
	for b.Loop() {
		appendNotify(nil, n)
	}
}
