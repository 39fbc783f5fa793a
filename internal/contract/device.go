package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/gateway"
)

// deviceOperations are the operations that devices call over MQTT, with their topics
// (jobs-data-plane.md section 4).
var deviceOperations = map[*wire.Operation]func(thing, job, namespace string) string{
	wire.GetPendingJobExecutions: func(thing, _, namespace string) string {
		return "$aws/things/" + thing + "/jobs/get" + namespace
	},
	wire.StartNextPendingJobExecution: func(thing, _, namespace string) string {
		return "$aws/things/" + thing + "/jobs/start-next" + namespace
	},
	wire.DataDescribeJobExecution: func(thing, job, namespace string) string {
		return "$aws/things/" + thing + "/jobs/" + job + namespace + "/get"
	},
	wire.UpdateJobExecution: func(thing, job, namespace string) string {
		return "$aws/things/" + thing + "/jobs/" + job + namespace + "/update"
	},
}

// message is a request that a device publishes, with the answer that it must get.
type message struct {
	op      *wire.Operation
	topic   string
	payload []byte
	what    string
	thing   string

	token    string // the clientToken as JSON; empty if there is none
	code     string // of the error that the answer must be; empty: any that devices may see
	names    names  // of which a refusal must have one
	withText bool   // the answer must have the document
	state    bool   // the answer must have the state
}

// device makes a device send a request over MQTT.
func (r *run) device() {
	in := r.input(pick(r.generator, r.judge.devices...))
	m := &message{op: in.op, what: "valid"}
	namespace := ""
	if r.likely(15) {
		namespace = "/namespace-ns-" + pick(r.generator, "0", "1")
	}
	broken := r.likely(25)
	if broken {
		if all := r.breaches(in, true); len(all) > 0 {
			b := pick(r.generator, all...)
			b.apply()
			m.what, m.code, m.names = b.what, "InvalidRequest", b.names
		}
	}
	thing, job := labelOf(in, "thingName"), labelOf(in, "jobId")
	if strings.ContainsAny(thing+job, "/#+\x00") {
		return // the topic would be another one, or invalid
	}
	m.thing = thing
	m.topic = deviceOperations[in.op](thing, job, namespace)
	members := payloadOf(in)
	if r.likely(60) {
		m.token = quote(r.letters(r.rand.IntN(70)))
		members = append(members, member{"clientToken", &value{literal: m.token}})
	}
	m.state, m.withText = given(in, "includeJobExecutionState"), given(in, "includeJobDocument")
	m.payload = appendObject(nil, members)
	if len(members) == 0 && r.likely(50) {
		m.payload = nil
	}
	if !broken {
		r.disguise(m)
	}
	r.publish(m)
}

// disguise sometimes changes a valid message, either in a way that does not matter or
// so that it is no longer valid.
func (r *run) disguise(m *message) {
	switch r.rand.IntN(12) {
	case 0:
		m.what = "an unknown topic"
		before, _, _ := strings.Cut(m.topic, "/jobs/")
		m.topic = before + "/jobs/" + pick(r.generator, "", "/", "get/", "fw", "fw/delete", "fw/get/now", "fw/namespace-!/get", "start-next/ns", "a/b/c/d")
		m.code = "InvalidTopic"
	case 1:
		names := slices.Sorted(maps.Keys(malformed))
		m.what = pick(r.generator, names...)
		if len(m.payload) == 0 {
			m.payload = []byte("{}")
		}
		m.payload = malformed[m.what](r.generator, m.payload)
		if m.code = "InvalidJson"; m.what != aMemberTwice {
			m.token = "" // nothing can be read from the payload
		}
	case 2:
		if len(m.payload) > 2 {
			m.what = "unknown members"
			m.payload = append([]byte(`{ "jobId" : 7, "thingName":null,"noSuchMember":{"a":[1e400]},`), m.payload[1:]...)
		}
	}
}

// labelOf returns a member that is in the topic.
func labelOf(in *input, name string) string {
	if v := in.value.get(name); v != nil {
		return v.text()
	}
	return ""
}

// payloadOf returns the members that are not in the topic.
func payloadOf(in *input) []member {
	var members []member
	for _, m := range in.value.members {
		if in.value.shape.Members[m.name].Location != "uri" {
			members = append(members, m)
		}
	}
	return members
}

// given reports whether a flag is true. Only DescribeJobExecution includes the document
// by default.
func given(in *input, name string) bool {
	if v := in.value.get(name); v != nil {
		return v.literal == "true"
	}
	return name == "includeJobDocument" && in.op == wire.DataDescribeJobExecution
}

// publish sends a message to the service and judges the reply.
func (r *run) publish(m *message) {
	step := r.report.Requests
	r.report.Requests++
	written := r.store.writes.Load()
	reply, err := r.ask(m)
	if err == nil {
		err = r.judge.reply(m, reply)
	}
	if n := r.store.writes.Load() - written; err == nil && strings.HasSuffix(reply.topic, "/rejected") && n > 0 {
		err = fmt.Errorf("the request is refused, and %d records are written", n)
	}
	if said := r.faults.take(); err == nil && len(said) > 0 {
		err = complaint("the log tells of a fault: " + strings.Join(said, "\n"))
	}
	r.trace(m.topic + " " + bashString(m.payload) + "\n" + reply.String())
	if err != nil {
		r.found(Finding{
			Seed: r.seed, Step: step, What: "MQTT " + m.op.Name + ": " + m.what,
			Request: m.topic + "\n" + bashString(m.payload), Answer: fmt.Sprint(reply), Problem: err.Error(),
		})
		return
	}
	r.report.told(m, reply)
	for _, found := range jobIDs.FindAllSubmatch(reply.payload, -1) {
		r.known.pairUp(m.thing, string(found[1]))
	}
}

// reply is the reply to a device.
type reply struct {
	topic   string
	payload []byte
}

func (r reply) String() string { return r.topic + "\n" + string(r.payload) }

// ask returns the one reply to a message.
func (w *world) ask(m *message) (got reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the service panics: %v", p)
		}
	}()
	if use := w.mqtt.Use(m.topic); use != gateway.Served {
		return reply{}, fmt.Errorf("the topic is of use %v, not served", use)
	}
	times := 0
	w.mqtt.Request(gateway.Request{Topic: m.topic, Payload: m.payload, ClientID: "contract"}, func(topic string, payload []byte) {
		got = reply{topic, payload}
		times++
	})
	if times != 1 {
		return got, fmt.Errorf("there are %d replies", times)
	}
	return got, nil
}
