package diary

import (
	"testing"

	"github.com/muster-iot/muster"
)

// told is what is seen of a thing at an instant.
type told struct {
	at muster.Instant
	do func(n *news, at muster.Instant)
}

func came(marked bool) func(*news, muster.Instant) {
	return func(n *news, at muster.Instant) { n.connected(muster.Arrival{At: at, AsClientID: marked}) }
}

func refused(n *news, at muster.Instant) { n.refused(muster.ConnectRefusal{At: at, Why: "no"}) }

func denied(action, resource string, marked bool) func(*news, muster.Instant) {
	return func(n *news, at muster.Instant) {
		n.denied(muster.Denial{At: at, Action: action, Resource: resource, AsClientID: marked})
	}
}

func allowed(action, resource string, marked bool) func(*news, muster.Instant) {
	return func(n *news, at muster.Instant) {
		n.allowed(kindOf(action, ofJobs(action, resource)), marked, at)
	}
}

func failed(operation string) func(*news, muster.Instant) {
	return func(n *news, at muster.Instant) {
		n.failed(muster.Request{At: at, Operation: operation, Code: "InvalidRequest"})
	}
}

func asked(operation string, changed bool) func(*news, muster.Instant) {
	return func(n *news, at muster.Instant) { n.succeeded(muster.Request{At: at, Operation: operation}, changed) }
}

func notified(n *news, at muster.Instant) { n.told.At, n.told.Job = at, "fw" }
func acked(n *news, at muster.Instant)    { n.told.Acked = at }

const (
	notify    = "topicfilter/$aws/things/lamp/jobs/notify"
	telemetry = "topicfilter/dt/lamp"
	start     = "StartNextPendingJobExecution"
	update    = "UpdateJobExecution"
)

// What is seen of a thing has the same end wherever it is cut into what is gathered together.
func TestWhatADiaryBecomes(t *testing.T) {
	denial := func(at muster.Instant, action, resource string, count int, marked bool) muster.Diary {
		return muster.Diary{Denied: muster.Denial{At: at, Action: action, Resource: resource, Count: count, AsClientID: marked}}
	}
	for name, c := range map[string]struct {
		seen []told
		want muster.Diary
	}{
		"refused twice": {[]told{{1, refused}, {2, refused}}, muster.Diary{Refused: muster.ConnectRefusal{At: 2, Why: "no", Count: 2}}},
		"refused, let in, refused": {[]told{{1, refused}, {2, came(false)}, {3, refused}}, muster.Diary{
			Came: muster.Arrival{At: 2}, Refused: muster.ConnectRefusal{At: 3, Why: "no", Count: 1},
		}},
		"let in after a refusal":               {[]told{{1, refused}, {2, came(true)}}, muster.Diary{Came: muster.Arrival{At: 2, AsClientID: true}}},
		"denied twice":                         {[]told{{1, denied("iot:Subscribe", notify, false)}, {2, denied("iot:Subscribe", notify, false)}}, denial(2, "iot:Subscribe", notify, 2, false)},
		"denied, then allowed":                 {[]told{{1, denied("iot:Subscribe", notify, false)}, {2, allowed("iot:Subscribe", notify, false)}}, muster.Diary{}},
		"denied, then another allowed":         {[]told{{1, denied("iot:Subscribe", notify, false)}, {2, allowed("iot:Publish", notify, false)}}, denial(1, "iot:Subscribe", notify, 1, false)},
		"denied, then allowed on other topics": {[]told{{1, denied("iot:Subscribe", notify, false)}, {2, allowed("iot:Subscribe", telemetry, false)}}, denial(1, "iot:Subscribe", notify, 1, false)},
		"denied, then allowed to a pretender":  {[]told{{1, denied("iot:Subscribe", notify, false)}, {2, allowed("iot:Subscribe", notify, true)}}, denial(1, "iot:Subscribe", notify, 1, false)},
		"denied to a pretender, then allowed":  {[]told{{1, denied("iot:Subscribe", notify, true)}, {2, allowed("iot:Subscribe", notify, false)}}, muster.Diary{}},
		"denied to itself, then to a pretender": {[]told{{1, denied("iot:Subscribe", notify, false)}, {2, denied("iot:Publish", notify, true)}},
			denial(1, "iot:Subscribe", notify, 1, false)},
		"denied for jobs, then for others": {[]told{{1, denied("iot:Subscribe", notify, false)}, {2, denied("iot:Publish", telemetry, false)}}, denial(1, "iot:Subscribe", notify, 1, false)},
		"denied for others, then for jobs": {[]told{{1, denied("iot:Publish", telemetry, false)}, {2, denied("iot:Subscribe", notify, false)}}, denial(2, "iot:Subscribe", notify, 1, false)},
		"denied, allowed, denied": {[]told{{1, denied("iot:Subscribe", notify, false)}, {2, allowed("iot:Subscribe", notify, false)}, {3, denied("iot:Subscribe", notify, false)}, {4, allowed("iot:Publish", notify, false)}},
			denial(3, "iot:Subscribe", notify, 1, false)},
		"failed twice":                 {[]told{{1, failed(update)}, {2, failed(update)}}, muster.Diary{Failed: muster.Request{At: 2, Operation: update, Code: "InvalidRequest", Count: 2}}},
		"failed, then worked":          {[]told{{1, failed(update)}, {2, asked(update, true)}}, muster.Diary{}},
		"failed, then another":         {[]told{{1, failed(update)}, {2, asked(start, true)}}, muster.Diary{Failed: muster.Request{At: 1, Operation: update, Code: "InvalidRequest", Count: 1}}},
		"asked, with no change":        {[]told{{1, asked(start, false)}, {2, asked("DescribeJobExecution", false)}}, muster.Diary{Asked: muster.Request{At: 2, Operation: "DescribeJobExecution"}}},
		"told and acknowledged":        {[]told{{1, notified}, {2, acked}}, muster.Diary{Told: muster.Telling{At: 1, Acked: 2, Job: "fw"}}},
		"told again":                   {[]told{{1, notified}, {2, acked}, {3, notified}}, muster.Diary{Told: muster.Telling{At: 3, Job: "fw"}}},
		"an acknowledgement by itself": {[]told{{2, acked}}, muster.Diary{Told: muster.Telling{Acked: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			for cuts := range 1 << (len(c.seen) - 1) { // a bit for each place between two
				var d muster.Diary
				n := &news{}
				for i, s := range c.seen {
					s.do(n, s.at)
					if cuts&(1<<i) != 0 {
						d, n = n.onto(d), &news{}
					}
				}
				if d = n.onto(d); d != c.want {
					t.Errorf("written %b: the diary is\n%+v, want\n%+v", cuts, d, c.want)
				}
				older, newer := &news{}, &news{} // of which the first could not be written
				for i, s := range c.seen {
					if i < len(c.seen)/2 {
						s.do(older, s.at)
					} else {
						s.do(newer, s.at)
					}
				}
				if older.since(newer); older.onto(muster.Diary{}) != c.want {
					t.Errorf("not written at first: the diary is\n%+v, want\n%+v", older.onto(muster.Diary{}), c.want)
				}
			}
		})
	}
}

// A notification that is followed by a start need not be written.
func TestAStartTellsOfItsNotification(t *testing.T) {
	n := &news{}
	notified(n, 1)
	acked(n, 2)
	if asked(start, true)(n, 3); !n.empty() {
		t.Errorf("%+v is written of a thing that was told and has begun", n)
	}
	notified(n, 4)
	if n.empty() {
		t.Error("nothing is written of a thing that was told and has not begun")
	}
}

// Nodes write what they have seen in any order.
func TestOfEachPartTheNewerStays(t *testing.T) {
	d := full()
	late := d
	late.Came.At, late.Left.At, late.HTTPS, late.Told.At, late.Asked.At = 1, 1, 1, 1, 1
	n := &news{came: late.Came, left: late.Left, https: late.HTTPS, told: muster.Telling{At: 1, Job: "old"}, asked: late.Asked,
		rare: &rare{refused: muster.ConnectRefusal{At: 1}, denied: muster.Denial{At: 1, AsClientID: true}, failed: muster.Request{At: 1}}}
	if got := n.onto(d); got != d {
		t.Errorf("with what came late the diary is\n%+v, want\n%+v", got, d)
	}
}

func TestThingsOfASubject(t *testing.T) {
	type thing struct {
		name   muster.ThingName
		marked bool
	}
	topic := "topic/$aws/things/pump/jobs/start-next"
	for name, c := range map[string]struct {
		s        Subject
		resource string
		want     []thing
	}{
		"its own":            {Subject{Attached: []muster.ThingName{"lamp"}, Active: true, ClientID: "lamp"}, "topic/$aws/things/lamp/jobs/get", []thing{{"lamp", false}}},
		"another client id":  {Subject{Attached: []muster.ThingName{"lamp"}, Active: true, ClientID: "gate"}, "", []thing{{"lamp", false}, {"gate", true}}},
		"another's topic":    {Subject{Attached: []muster.ThingName{"lamp"}, Active: true, ClientID: "lamp"}, topic, []thing{{"lamp", false}, {"pump", true}}},
		"not active":         {Subject{Attached: []muster.ThingName{"lamp"}, ClientID: "gate"}, topic, []thing{{"lamp", false}}},
		"attached to none":   {Subject{Active: true, ClientID: "gate"}, "topicfilter/$aws/things/pump/#", []thing{{"gate", true}, {"pump", true}}},
		"a stranger":         {Subject{ClientID: "lamp"}, topic, nil},
		"no name of a thing": {Subject{Active: true, ClientID: "a b"}, "topicfilter/$aws/things/+/jobs/notify", nil},
		"a topic of nobody":  {Subject{Active: true}, "topic/dt/lamp", nil},
		"a thing in a path":  {Subject{Active: true}, "thing/lamp", []thing{{"lamp", true}}},
	} {
		var got []thing
		for name, marked := range c.s.things(c.resource) {
			got = append(got, thing{name, marked})
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}
