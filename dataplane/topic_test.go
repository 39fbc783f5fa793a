package dataplane

import "testing"

func TestParseTopic(t *testing.T) {
	tests := []struct {
		name, topic string
		want        Topic
		not         bool
	}{
		{"list what is pending", "$aws/things/lamp/jobs/get", Topic{Kind: GetPending, Thing: "lamp"}, false},
		{"its answer", "$aws/things/lamp/jobs/get/accepted", Topic{Kind: GetPending, Side: Accepted, Thing: "lamp"}, false},
		{"its refusal", "$aws/things/lamp/jobs/get/rejected", Topic{Kind: GetPending, Side: Rejected, Thing: "lamp"}, false},
		{"start the next job", "$aws/things/lamp/jobs/start-next", Topic{Kind: StartNext, Thing: "lamp"}, false},
		{"describe a job", "$aws/things/lamp/jobs/fw-1/get", Topic{Kind: Describe, Thing: "lamp", Job: "fw-1"}, false},
		{"describe the head of the queue", "$aws/things/lamp/jobs/$next/get", Topic{Kind: Describe, Thing: "lamp", Job: "$next"}, false},
		{"update a job", "$aws/things/lamp/jobs/fw-1/update", Topic{Kind: Update, Thing: "lamp", Job: "fw-1"}, false},
		{"the answer to an update", "$aws/things/lamp/jobs/fw-1/update/accepted", Topic{Kind: Update, Side: Accepted, Thing: "lamp", Job: "fw-1"}, false},
		{"thing names may hold colons", "$aws/things/a:b/jobs/get", Topic{Kind: GetPending, Thing: "a:b"}, false},
		{"a thing may be called jobs", "$aws/things/jobs/jobs/get", Topic{Kind: GetPending, Thing: "jobs"}, false},
		{"a job may be called get", "$aws/things/lamp/jobs/get/get", Topic{Kind: Describe, Thing: "lamp", Job: "get"}, false},
		{"and its answer", "$aws/things/lamp/jobs/get/get/accepted", Topic{Kind: Describe, Side: Accepted, Thing: "lamp", Job: "get"}, false},
		{"a job may be called start-next", "$aws/things/lamp/jobs/start-next/update", Topic{Kind: Update, Thing: "lamp", Job: "start-next"}, false},
		{"a job may be called notify", "$aws/things/lamp/jobs/notify/get", Topic{Kind: Describe, Thing: "lamp", Job: "notify"}, false},
		{"a job may be called accepted", "$aws/things/lamp/jobs/accepted/get", Topic{Kind: Describe, Thing: "lamp", Job: "accepted"}, false},
		{"the list notification", "$aws/things/lamp/jobs/notify", Topic{Kind: NotifyList, Thing: "lamp"}, false},
		{"the next notification", "$aws/things/lamp/jobs/notify-next", Topic{Kind: NotifyNext, Thing: "lamp"}, false},
		{"the list notification of a namespace", "$aws/things/lamp/jobs/notify-namespace-gg", Topic{Kind: NotifyList, Thing: "lamp", Namespace: "gg"}, false},
		{"the next notification of a namespace", "$aws/things/lamp/jobs/notify-next-namespace-gg", Topic{Kind: NotifyNext, Thing: "lamp", Namespace: "gg"}, false},
		{"list a namespace", "$aws/things/lamp/jobs/get/namespace-gg", Topic{Kind: GetPending, Thing: "lamp", Namespace: "gg"}, false},
		{"start in a namespace", "$aws/things/lamp/jobs/start-next/namespace-gg", Topic{Kind: StartNext, Thing: "lamp", Namespace: "gg"}, false},
		{"its refusal", "$aws/things/lamp/jobs/start-next/namespace-gg/rejected", Topic{Kind: StartNext, Side: Rejected, Thing: "lamp", Namespace: "gg"}, false},
		{"describe in a namespace", "$aws/things/lamp/jobs/$next/namespace-aws-gg-deployment/get", Topic{Kind: Describe, Thing: "lamp", Job: "$next", Namespace: "aws-gg-deployment"}, false},
		{"update in a namespace", "$aws/things/lamp/jobs/fw/namespace-gg/update", Topic{Kind: Update, Thing: "lamp", Job: "fw", Namespace: "gg"}, false},
		{"the longest topic there is", "$aws/things/lamp/jobs/fw/namespace-gg/update/accepted", Topic{Kind: Update, Side: Accepted, Thing: "lamp", Job: "fw", Namespace: "gg"}, false},
		{"an empty job id is for the operation to refuse", "$aws/things/lamp/jobs//get", Topic{Kind: Describe, Thing: "lamp"}, false},
		{"an empty thing name too", "$aws/things//jobs/get", Topic{Kind: GetPending}, false},

		{"no such verb", "$aws/things/lamp/jobs/fw/bogus", Topic{Thing: "lamp"}, false},
		{"no such word", "$aws/things/lamp/jobs/bogus", Topic{Thing: "lamp"}, false},
		{"nothing at all", "$aws/things/lamp/jobs/", Topic{Thing: "lamp"}, false},
		{"an answer to nothing", "$aws/things/lamp/jobs/accepted", Topic{Thing: "lamp"}, false},
		{"an answer to a notification", "$aws/things/lamp/jobs/notify/accepted", Topic{Thing: "lamp"}, false},
		{"too deep", "$aws/things/lamp/jobs/fw/namespace-gg/update/x/accepted", Topic{Thing: "lamp"}, false},
		{"a trailing slash", "$aws/things/lamp/jobs/get/", Topic{Thing: "lamp"}, false},
		{"an empty namespace", "$aws/things/lamp/jobs/notify-namespace-", Topic{Thing: "lamp"}, false},
		{"a namespace of wrong characters", "$aws/things/lamp/jobs/fw/namespace-a.b/get", Topic{Thing: "lamp"}, false},
		{"the form that only the documentation knows", "$aws/things/lamp/jobs/fw/notify-namespace-gg", Topic{Thing: "lamp"}, false},

		{"another service", "$aws/things/lamp/shadow/get", Topic{}, true},
		{"nothing below jobs", "$aws/things/lamp/jobs", Topic{}, true},
		{"a word that begins like jobs", "$aws/things/lamp/jobsx/get", Topic{}, true},
		{"no thing", "$aws/things/jobs/get", Topic{}, true},
		{"an ordinary topic", "things/lamp/jobs/get", Topic{}, true},
		{"nothing", "", Topic{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseTopic(tt.topic)
			if ok == tt.not || got != tt.want {
				t.Fatalf("ParseTopic(%q) = %#v, %v; want %#v, %v", tt.topic, got, ok, tt.want, !tt.not)
			}
			if s := got.String(); got.Kind != InvalidTopic && s != tt.topic {
				t.Errorf("ParseTopic(%q) prints back as %q", tt.topic, s)
			}
		})
	}
}

func FuzzParseTopic(f *testing.F) {
	for _, topic := range []string{
		"$aws/things/lamp/jobs/get", "$aws/things/lamp/jobs/$next/namespace-gg/get/accepted",
		"$aws/things/lamp/jobs/notify-next-namespace-gg", "$aws/things//jobs//update", "$aws/things/a/jobs/",
	} {
		f.Add(topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		if got, ok := ParseTopic(topic); ok && got.Kind != InvalidTopic && got.String() != topic {
			t.Errorf("ParseTopic(%q) = %#v, which prints back as %q", topic, got, got.String())
		}
	})
}

func TestParseTopicAllocatesNothing(t *testing.T) {
	for _, topic := range []string{"$aws/things/lamp/jobs/start-next", "$aws/things/lamp/jobs/fw-1/namespace-gg/update"} {
		if n := testing.AllocsPerRun(100, func() { ParseTopic(topic) }); n != 0 {
			t.Errorf("ParseTopic(%q) allocates %v times, want 0", topic, n)
		}
	}
}

func BenchmarkParseTopic(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseTopic("$aws/things/pump-000017/jobs/firmware-12/update")
	}
}
