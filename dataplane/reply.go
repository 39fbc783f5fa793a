package dataplane

import (
	"maps"
	"slices"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/jobs"
)

// protocol is one of the two protocols of the data plane. What a device is sent
// has one form for each: compact JSON without absent members, its keys in the
// order of the contract's examples (jobs-data-plane.md sections 2, 3 and 11.2).
type protocol uint8

const (
	overMQTT protocol = iota // clientToken and timestamp come first; the document is an object
	overHTTP                 // neither of these; the document is a string; the thing's name is included
)

func (p protocol) String() string {
	if p == overHTTP {
		return "HTTP"
	}
	return "MQTT"
}

// plane is the protocol's name in metrics.
func (p protocol) plane() string {
	if p == overHTTP {
		return "http"
	}
	return "mqtt"
}

// answer is the result of an operation, independent of the protocol.
type answer struct {
	pending   jobs.Pending
	described jobs.Described
	err       error
}

// at returns when it was answered; zero after a failure.
func (a answer) at(k Kind) muster.Instant {
	if k == GetPending {
		return a.pending.At
	}
	return a.described.At
}

// empty reports whether a long poll should go on waiting.
func (a answer) empty(k Kind) bool {
	if k == GetPending {
		return len(a.pending.InProgress)+len(a.pending.Queued) == 0
	}
	return a.described.Execution == nil
}

// changed reports whether an execution was changed, which has the instant of that.
func (a answer) changed(k Kind) bool {
	x := a.described.Execution
	return (k == StartNext || k == Update) && a.err == nil && x != nil && x.UpdatedAt == a.described.At
}

// object writes the members of one JSON object.
type object struct{ b []byte }

func begin(b []byte) object { return object{append(b, '{')} }

// key begins a member.
func (o *object) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) string(name, value string) {
	o.key(name)
	o.b = appendString(o.b, value)
}

func (o *object) integer(name string, value int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

func (o *object) seconds(name string, at muster.Instant) { o.integer(name, at.Seconds()) }

func (o *object) raw(name string, value []byte) {
	o.key(name)
	o.b = append(o.b, value...)
}

func (o *object) end() []byte { return append(o.b, '}') }

// replySize estimates the length of the answer to r, in bytes.
func replySize(r *request, a answer) int {
	size := 80 + len(r.token)
	if r.Kind != Update || r.withState || a.err != nil {
		size += 384
	}
	if d := a.described.Document; d != nil {
		size += len(*d)
	}
	return size
}

// appendAccepted appends the answer to a request that succeeded.
func appendAccepted(b []byte, p protocol, r *request, a answer) []byte {
	o := begin(b)
	if p == overMQTT {
		if r.token != nil {
			o.raw("clientToken", r.token)
		}
		o.seconds("timestamp", a.at(r.Kind))
	}
	switch r.Kind {
	case GetPending:
		o.list("inProgressJobs", a.pending.InProgress)
		o.list("queuedJobs", a.pending.Queued)
	case StartNext, Describe:
		if a.described.Execution != nil {
			o.execution(p, a.described)
		}
	case Update:
		if r.withState {
			o.state(a.described.Execution)
		}
		if a.described.Document != nil {
			o.document(p, *a.described.Document)
		}
	}
	return o.end()
}

// appendRejected appends the answer to a request that failed. Over HTTPS the
// code is not in the body.
func appendRejected(b []byte, p protocol, r *request, f refusal, at muster.Instant) []byte {
	o := begin(b)
	if p == overMQTT {
		if r.token != nil {
			o.raw("clientToken", r.token)
		}
		o.seconds("timestamp", at)
		o.string("code", f.code)
	}
	o.string("message", f.message)
	if f.shown != nil {
		o.state(f.shown)
	}
	if f.trace != "" {
		o.string("traceId", f.trace)
	}
	return o.end()
}

// appendNotify appends the payload of the list notification.
func appendNotify(b []byte, n jobs.Notification) []byte {
	inProgress, queued := n.Queue.Shown()
	o := begin(slices.Grow(b, 48+136*(len(inProgress)+len(queued)))) // mostly enough
	o.seconds("timestamp", n.At)
	o.key("jobs")
	jobs := begin(o.b)
	if len(inProgress) > 0 {
		jobs.list("IN_PROGRESS", inProgress)
	}
	if len(queued) > 0 {
		jobs.list("QUEUED", queued)
	}
	o.b = jobs.end()
	return o.end()
}

// appendNotifyNext appends the payload of the next notification, with the
// document of its head.
func appendNotifyNext(b []byte, n jobs.Notification, document string) []byte {
	size := 32
	if n.Head != nil {
		size += 384 + len(document) // mostly enough
	}
	o := begin(slices.Grow(b, size))
	o.seconds("timestamp", n.At)
	if n.Head != nil {
		o.execution(overMQTT, jobs.Described{At: n.At, Execution: n.Head, Document: &document})
	}
	return o.end()
}

func (o *object) list(name string, entries []muster.Entry) {
	o.key(name)
	o.b = append(o.b, '[')
	for i, e := range entries {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		s := begin(o.b)
		s.string("jobId", string(e.Job))
		s.seconds("queuedAt", e.QueuedAt)
		s.seconds("lastUpdatedAt", e.UpdatedAt)
		if e.StartedAt != 0 {
			s.seconds("startedAt", e.StartedAt)
		}
		s.integer("executionNumber", e.Number)
		s.integer("versionNumber", e.Version)
		o.b = s.end()
	}
	o.b = append(o.b, ']')
}

func (o *object) execution(p protocol, d jobs.Described) {
	x := d.Execution
	o.key("execution")
	e := begin(o.b)
	e.string("jobId", string(x.Job))
	if p == overHTTP {
		e.string("thingName", string(x.Thing))
	}
	e.string("status", x.Status.String())
	e.details(x.Details)
	e.seconds("queuedAt", x.QueuedAt)
	if x.StartedAt != 0 {
		e.seconds("startedAt", x.StartedAt)
	}
	e.seconds("lastUpdatedAt", x.UpdatedAt)
	e.integer("versionNumber", x.Version)
	e.integer("executionNumber", x.Number)
	if deadline := x.Deadline(); deadline != 0 {
		e.integer("approximateSecondsBeforeTimedOut", max(0, (deadline-d.At).Seconds()))
	}
	if d.Document != nil {
		e.document(p, *d.Document)
	}
	o.b = e.end()
}

func (o *object) state(x *muster.Execution) {
	o.key("executionState")
	s := begin(o.b)
	s.string("status", x.Status.String())
	s.details(x.Details)
	s.integer("versionNumber", x.Version)
	o.b = s.end()
}

func (o *object) details(details map[string]string) {
	if len(details) == 0 {
		return
	}
	o.key("statusDetails")
	d := begin(o.b)
	for _, key := range slices.Sorted(maps.Keys(details)) {
		d.string(key, details[key])
	}
	o.b = d.end()
}

// document writes the job document: over HTTPS a string with the text as it was
// submitted, over MQTT the same JSON without the white space between its parts,
// its keys in their order and its numbers as written (jobs-data-plane.md
// section 13, C10).
func (o *object) document(p protocol, text string) {
	o.key("jobDocument")
	if p == overHTTP {
		o.b = appendString(o.b, text)
		return
	}
	o.b = appendCompact(o.b, text)
}
