package authz_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/jobs"
)

// identities are the holders of certificates in the matrix, and the things that
// each may act for: with which client id over MQTT, and over HTTPS. What is not
// listed is forbidden.
var identities = []struct {
	name      string
	status    muster.CertificateStatus // zero: the certificate is not registered
	attached  []muster.ThingName
	exclusive bool
	policy    string // "" for none
	mqtt      map[string][]string
	https     []string
	wide      bool // may subscribe with a filter for all things, but receives only what concerns its own
}{
	{name: "the lamp", status: muster.CertificateActive, attached: things("lamp"), policy: minimal,
		mqtt: map[string][]string{"lamp": {"lamp"}}}, // AUTH-42: the variable does not resolve over HTTPS
	{name: "the pump, exclusively", status: muster.CertificateActive, attached: things("pump"), exclusive: true, policy: minimal,
		mqtt: map[string][]string{"pump": {"pump"}}, https: []string{"pump"}},
	{name: "a certificate of both", status: muster.CertificateActive, attached: things("lamp", "pump"), policy: minimal,
		mqtt: map[string][]string{"lamp": {"lamp"}, "pump": {"pump"}}},
	{name: "a gateway for both (AUTH-43)", status: muster.CertificateActive, policy: named("lamp", "pump"),
		mqtt: map[string][]string{"hub": {"lamp", "pump"}}, https: []string{"lamp", "pump"}},
	{name: "a gateway for the lamp", status: muster.CertificateActive, attached: things("pump"), policy: named("lamp"),
		mqtt: map[string][]string{"hub": {"lamp"}}, https: []string{"lamp"}},
	{name: "a certificate of nothing", status: muster.CertificateActive, policy: minimal},
	{name: "the lamp without a policy", status: muster.CertificateActive, attached: things("lamp")},
	{name: "the lamp with all but the pump", status: muster.CertificateActive, attached: things("lamp"), policy: allBut("pump"),
		mqtt: map[string][]string{"lamp": {"lamp"}, "pump": {"lamp"}, "hub": {"lamp"}}, https: []string{"lamp"}, wide: true},
	{name: "a lamp that is inactive", status: muster.CertificateInactive, attached: things("lamp"), policy: allBut("nothing")},
	{name: "a lamp that is revoked", status: muster.CertificateRevoked, attached: things("lamp"), policy: allBut("nothing")},
	{name: "a lamp that waits for activation", status: muster.CertificatePendingActivation, attached: things("lamp"), policy: allBut("nothing")},
	{name: "a stranger"},
}

func things(names ...muster.ThingName) []muster.ThingName { return names }

const arn = "arn:aws:iot:eu-west-1:123456789012:"

// minimal is the device policy of identity-and-auth.md section B.6.
const minimal = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"iot:Connect","Resource":"` + arn + `client/${iot:Connection.Thing.ThingName}"},
 {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"` + arn + `topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":"` + arn + `topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"},
 {"Effect":"Allow","Action":["iotjobsdata:DescribeJobExecution","iotjobsdata:GetPendingJobExecutions","iotjobsdata:StartNextPendingJobExecution",
  "iotjobsdata:UpdateJobExecution"],"Resource":"` + arn + `thing/${iot:Connection.Thing.ThingName}"}]}`

// named is a policy of a device with the client id hub that acts for things.
func named(names ...string) string {
	statements := []string{`{"Effect":"Allow","Action":"iot:Connect","Resource":"` + arn + `client/hub"}`}
	for _, n := range names {
		statements = append(statements, `{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"`+arn+`topic/$aws/things/`+n+`/jobs/*"}`,
			`{"Effect":"Allow","Action":"iot:Subscribe","Resource":"`+arn+`topicfilter/$aws/things/`+n+`/jobs/*"}`,
			`{"Effect":"Allow","Action":"iotjobsdata:*","Resource":"`+arn+`thing/`+n+`"}`)
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// allBut allows everything except what concerns one thing.
func allBut(thing string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
	 {"Effect":"Deny","Action":"*","Resource":["` + arn + `topic/$aws/things/` + thing + `/*","` + arn + `topicfilter/$aws/things/` + thing + `/*","` + arn + `thing/` + thing + `"]}]}`
}

// operations are the device operations over MQTT and HTTPS. Each succeeds, any
// number of times, for an identity that may act for the thing; the last two change
// the execution.
var operations = []struct {
	name, topic, payload  string // below $aws/things/<thing>/jobs/
	method, path, content string // below /things/<thing>/jobs
	changes               bool
}{
	{"GetPendingJobExecutions", "get", "{}", "GET", "", "", false},
	{"DescribeJobExecution", "$next/get", "{}", "GET", "/%24next", "", false},
	{"StartNextPendingJobExecution", "start-next", "{}", "PUT", "/$next", "{}", false},
	{"UpdateJobExecution", "fw/update", `{"status":"IN_PROGRESS"}`, "POST", "/fw", `{"status":"IN_PROGRESS"}`, true},
}

// TestAThingNeverActsForAnotherThing tries every identity, transport, client id,
// operation and thing, and checks by the execution that only what is allowed had
// an effect.
func TestAThingNeverActsForAnotherThing(t *testing.T) {
	s := newDeployment(t)
	for _, id := range identities {
		t.Run(id.name, func(t *testing.T) {
			device := s.newDevice(t, id.name, id.status)
			for _, thing := range id.attached {
				s.must(t, s.Rights.AttachPrincipal(t.Context(), thing, device.id, muster.Attachment{Exclusive: id.exclusive}))
			}
			if id.policy != "" {
				s.allow(t, device, id.policy)
			}
			for _, client := range []string{"lamp", "pump", "hub"} {
				for _, version := range []byte{packet.V311, packet.V5} {
					s.overMQTT(t, device, version, client, id.mqtt[client], id.wide)
				}
			}
			s.overHTTPS(t, device, id.https)
		})
	}
}

// overMQTT checks what a device may do when it connects with a client id; may
// are the things that it may act for, and nil means that it is not admitted.
func (s *deployment) overMQTT(t *testing.T, d device, version byte, client string, may []string, wide bool) {
	t.Helper()
	for _, thing := range []string{"lamp", "pump"} {
		allowed := slices.Contains(may, thing)
		for _, op := range operations {
			what := fmt.Sprintf("%s for %s over MQTT %d as %s", op.name, thing, version, client)
			c := s.dial(t, d, version)
			ack := c.Connect(packet.Connect{ClientID: client, Clean: true})
			if in := ack.Reason == packet.Success; in != (may != nil) {
				t.Fatalf("%s: CONNECT is answered with %v", what, ack.Reason)
			} else if !in {
				c.ExpectClosed()
				return
			}
			before := s.version(t, thing)
			topic := "$aws/things/" + thing + "/jobs/" + op.topic
			c.Send(&packet.Publish{Topic: topic, Payload: []byte(op.payload), QoS: 1, ID: 7})
			switch {
			case allowed:
				if p, ok := c.Next().(*packet.Publish); !ok || p.Topic != topic+"/accepted" {
					t.Errorf("%s: the answer is %+v, want %s/accepted", what, p, topic)
				}
				c.Expect(&packet.Puback{ID: 7})
			case version == packet.V5:
				c.Expect(&packet.Puback{ID: 7, Reason: packet.NotAuthorized})
				c.ExpectNothing()
			default:
				c.ExpectClosed()
			}
			s.checkVersion(t, what, thing, before, allowed, op.changes)
			c.Close()
		}
		s.listens(t, d, version, client, thing, allowed, wide)
	}
}

// listens checks whether a device receives the notifications of a thing. Policies
// compare a filter as text (AUTH-65), so that a wide one may be granted; then
// iot:Receive decides about each delivery.
func (s *deployment) listens(t *testing.T, d device, version byte, client, thing string, allowed, wide bool) {
	t.Helper()
	what := fmt.Sprintf("as %s over MQTT %d", client, version)
	c := s.dial(t, d, version)
	c.Connect(packet.Connect{ClientID: client, Clean: true})
	own := "$aws/things/" + thing + "/jobs/"
	for filter, want := range map[string]bool{
		own + "notify": allowed, own + "notify-next": allowed, own + "get/+": allowed, own + "+/update/accepted": allowed, own + "#": allowed,
		"$aws/things/+/jobs/notify": wide, "$aws/things/#": wide, "$share/g/$aws/things/+/jobs/#": wide, "$aws/#": false,
	} {
		if granted := c.Subscribe(0, filter)[0] < 0x80; granted != want {
			t.Errorf("%s: the subscription to %s is granted: %v, want %v", what, filter, granted, want)
		}
	}
	s.gateway.Publish(gateway.Message{Topic: "$aws/things/" + thing + "/jobs/notify", Payload: []byte("secret")}, nil)
	if allowed {
		c.ExpectMessage("$aws/things/"+thing+"/jobs/notify", "secret")
	} else {
		c.ExpectNothing()
	}
	c.Close()
}

// overHTTPS checks what a device may do with its certificate alone.
func (s *deployment) overHTTPS(t *testing.T, d device, may []string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: s.trusting(d)}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for _, thing := range []string{"lamp", "pump"} {
		allowed := slices.Contains(may, thing)
		for _, op := range operations {
			what := fmt.Sprintf("%s for %s over HTTPS", op.name, thing)
			before := s.version(t, thing)
			r, err := http.NewRequestWithContext(t.Context(), op.method, "https://"+s.https+"/things/"+thing+"/jobs"+op.path, strings.NewReader(op.content))
			s.must(t, err)
			response, err := client.Do(r)
			s.must(t, err)
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			want := http.StatusForbidden
			if allowed {
				want = http.StatusOK
			}
			if response.StatusCode != want || !allowed && !bytes.HasPrefix(body, []byte(`{"message":"Forbidden"`)) {
				t.Errorf("%s: %d %s, want %d", what, response.StatusCode, body, want)
			}
			s.checkVersion(t, what, thing, before, allowed, op.changes)
		}
	}
}

// version returns the version of a thing's execution, which rises with every
// change.
func (s *deployment) version(t *testing.T, thing string) int64 {
	t.Helper()
	d, err := s.Jobs.DescribeExecution(t.Context(), jobs.DescribeInput{Thing: muster.ThingName(thing), Job: "fw"})
	s.must(t, err)
	return d.Execution.Version
}

// checkVersion checks that an execution changed if, and only if, it should.
func (s *deployment) checkVersion(t *testing.T, what, thing string, before int64, allowed, changes bool) {
	t.Helper()
	after := s.version(t, thing)
	if !allowed && after != before || allowed && changes && after == before {
		t.Errorf("%s: the execution went from version %d to %d; allowed: %v", what, before, after, allowed)
	}
}
