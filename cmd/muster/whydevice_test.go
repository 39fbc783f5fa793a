package main

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/dataplane"
	"github.com/muster-iot/muster/explain"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// The statements of policies that devices of these tests have.
const (
	mayConnect   = `{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}`
	mayPublish   = `{"Effect":"Allow","Action":"iot:Publish","Resource":"*"}`
	maySubscribe = `{"Effect":"Allow","Action":"iot:Subscribe","Resource":"*"}`
	mayReceive   = `{"Effect":"Allow","Action":"iot:Receive","Resource":"*"}`
	mayAll       = `{"Effect":"Allow","Action":"iot:*","Resource":"*"}`
)

// certificate makes a certificate for a thing, with a policy of these statements if there are any.
func (s *puzzles) certificate(thing string, statements ...string) tls.Certificate {
	s.t.Helper()
	var made struct {
		CertificateArn, CertificateID, CertificatePem string
		KeyPair                                       struct{ PrivateKey string }
	}
	s.call("POST", "/keys-and-certificate?setAsActive=true", object{}, &made)
	s.attach(thing, made.CertificateArn)
	s.secret = append(s.secret, made.CertificateID, "CERTIFICATE-OF-"+thing, made.CertificateID[:8], "CERTIFICATE-OF-"+thing)
	s.hide = strings.NewReplacer(s.secret...)
	if len(statements) > 0 {
		all := statements[0]
		for _, more := range statements[1:] {
			all += "," + more
		}
		s.call("POST", "/policies/"+thing, object{"policyDocument": `{"Version":"2012-10-17","Statement":[` + all + `]}`}, nil)
		s.call("PUT", "/target-policies/"+thing, object{"target": made.CertificateArn}, nil)
	}
	pair, err := tls.X509KeyPair([]byte(made.CertificatePem), []byte(made.KeyPair.PrivateKey))
	if err != nil {
		s.t.Fatal(err)
	}
	return pair
}

// device connects a thing with a certificate of its own, and returns what the server says.
func (s *puzzles) device(thing string, expiry uint32, statements ...string) (*mqtttest.Client, *packet.Connack) {
	s.t.Helper()
	return s.connect(thing, expiry, s.certificate(thing, statements...))
}

// connect connects a thing with a certificate, and returns what the server says.
func (s *puzzles) connect(thing string, expiry uint32, pair tls.Certificate) (*mqtttest.Client, *packet.Connack) {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.ready.MQTTSAddr, &tls.Config{RootCAs: rootsIn(s.t, s.ready.CAFile), Certificates: []tls.Certificate{pair}})
	if err != nil {
		s.t.Fatal(err)
	}
	c := mqtttest.New(s.t, conn, packet.V5)
	return c, c.Connect(packet.Connect{ClientID: thing, KeepAlive: 600, Clean: true, Properties: packet.Properties(nil).WithInt(packet.SessionExpiry, expiry)})
}

func topicOf(thing, what string) string { return "$aws/things/" + thing + "/jobs/" + what }

// hears waits for a message of a topic, and acknowledges none.
func hears(c *mqtttest.Client, topic string) {
	for {
		if p, ok := c.Next().(*packet.Publish); ok && p.Topic == topic {
			return
		}
	}
}

// eventually is explained once a job does not move for a reason.
func (s *puzzles) eventually(want explain.Code, thing, job string) {
	s.t.Helper()
	s.await(want, thing, job)
	s.explained(want, thing, job)
}

// await waits until a job does not move for a reason, or for long: what is seen of devices is known after five seconds.
func (s *puzzles) await(want explain.Code, thing, job string) {
	s.t.Helper()
	s.until(thing, job, func(e explain.Explanation) bool { return e.Code == want })
}

// until waits until an explanation is as it should be, or for long.
func (s *puzzles) until(thing, job string, is func(explain.Explanation) bool) {
	s.t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		e, err := s.operator.Explain(s.t.Context(), muster.ThingName(thing), muster.JobID(job))
		if err != nil {
			s.t.Fatal(err)
		}
		if is(e) || time.Now().After(end) {
			return
		}
	}
}

// What the device is the cause of, brought about by MQTT clients over TLS.
func TestWhyTheDeviceDoesNotStart(t *testing.T) {
	s := newPuzzles(t, func(c *Config) { c.MQTTS = "127.0.0.1:0" })
	things := []string{"never", "barred", "deaf", "mute", "elsewhere", "gone", "told", "wrong", "silent", "started"}
	s.things("all", things...)
	s.certificate("never", mayAll)

	if _, ack := s.device("barred", 0); ack.Reason == packet.Success {
		t.Error("a device without a policy may connect")
	}
	s.device("mute", 0, mayConnect)
	deaf, _ := s.device("deaf", 0, mayConnect, mayPublish, maySubscribe)
	deaf.Subscribe(1, topicOf("deaf", "notify"))
	elsewhere, _ := s.device("elsewhere", 0, mayAll)
	elsewhere.Subscribe(1, dataplane.Topic{Kind: dataplane.NotifyNext, Thing: "elsewhere", Namespace: "other"}.String())
	gone, _ := s.device("gone", 0, mayAll)
	gone.Subscribe(1, topicOf("gone", "notify"))
	gone.Send(&packet.Disconnect{})
	gone.ExpectClosed()
	told, _ := s.device("told", 0, mayAll)
	told.Subscribe(1, topicOf("told", "notify-next"))
	wrong, _ := s.device("wrong", 0, mayAll)
	wrong.Subscribe(1, topicOf("wrong", "+/update/rejected"), topicOf("wrong", "notify-next"))
	silent, _ := s.device("silent", 0, mayAll)
	silent.Subscribe(1, topicOf("silent", "start-next/accepted"))
	started, _ := s.device("started", 0, mayAll)
	started.Subscribe(1, topicOf("started", "start-next/accepted"))

	s.call("PUT", "/jobs/fw", object{"targets": []string{groupOf("all")}, "document": "{}"}, nil)
	s.call("PUT", "/jobs/spaced", object{"targets": []string{thingOf("told")}, "document": "{}", "namespaceId": "other"}, nil)
	hears(told, topicOf("told", "notify-next"))
	for range 2 {
		wrong.Send(&packet.Publish{Topic: topicOf("wrong", "fw/update"), Payload: []byte(`{"status":"DONE"}`), QoS: 1, ID: 7})
		hears(wrong, topicOf("wrong", "fw/update/rejected"))
	}
	for thing, c := range map[string]*mqtttest.Client{"silent": silent, "started": started} {
		c.Send(&packet.Publish{Topic: topicOf(thing, "start-next"), Payload: []byte("{}"), QoS: 1, ID: 8})
		hears(c, topicOf(thing, "start-next/accepted"))
	}
	s.await(explain.Refused, "deaf", "fw")
	s.advance("1m")

	s.eventually(explain.NeverConnected, "never", "fw")
	s.eventually(explain.Refused, "barred", "fw")
	s.eventually(explain.Refused, "deaf", "fw")
	s.eventually(explain.NotListening, "mute", "fw")
	s.eventually(explain.OtherNamespace, "elsewhere", "fw")
	s.eventually(explain.OtherNamespace, "told", "spaced")
	s.until("gone", "fw", func(e explain.Explanation) bool { // the fleet index hears of it later than the diary
		return slices.ContainsFunc(e.Facts, func(f explain.Fact) bool { return f.What == "disconnected" && f.Is != "" })
	})
	s.eventually(explain.Offline, "gone", "fw")
	s.eventually(explain.Told, "told", "fw")
	s.eventually(explain.AsksWrongly, "wrong", "fw")
	s.eventually(explain.Working, "started", "fw")
	silent.Close()
	s.eventually(explain.Silent, "silent", "fw")
	s.compare("whydevices")
}
