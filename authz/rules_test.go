package authz_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
)

// connect returns a connected client with a clean session.
func (s *deployment) connect(t *testing.T, d device, client string) *mqtttest.Client {
	t.Helper()
	c := s.dial(t, d, packet.V5)
	if ack := c.Connect(packet.Connect{ClientID: client, Clean: true}); ack.Reason != packet.Success {
		t.Fatalf("CONNECT as %s is refused: %v", client, ack.Reason)
	}
	return c
}

// get requests the pending executions of the lamp over HTTPS and returns the
// status.
func (s *deployment) get(t *testing.T, d device) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: s.trusting(d)}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+s.https+"/things/lamp/jobs", nil)
	s.must(t, err)
	response, err := client.Do(r)
	s.must(t, err)
	response.Body.Close()
	return response.StatusCode
}

func TestAUTH31LeavingACTIVEEndsConnectionsAndReturningBringsThemBack(t *testing.T) {
	s := newDeployment(t)
	d := s.newDevice(t, "hub", muster.CertificateActive)
	s.allow(t, d, named("lamp"))
	for _, status := range []muster.CertificateStatus{muster.CertificateInactive, muster.CertificateRevoked} {
		c := s.dial(t, d, packet.V5)
		c.Connect(packet.Connect{ClientID: "hub", Properties: packet.Properties{}.WithInt(packet.SessionExpiry, 600)})
		c.Subscribe(1, "$aws/things/lamp/jobs/notify")
		s.must(t, s.Rights.UpdateCertificate(t.Context(), d.id, status))
		c.ExpectDisconnect(packet.NotAuthorized)
		again := s.dial(t, d, packet.V5)
		if ack := again.Connect(packet.Connect{ClientID: "hub"}); ack.Reason != packet.NotAuthorized {
			t.Errorf("CONNECT with a certificate that is %s is answered with %v", status, ack.Reason)
		}
		if got := s.get(t, d); got != http.StatusForbidden {
			t.Errorf("HTTPS with a certificate that is %s = %d, want 403", status, got)
		}
		s.must(t, s.Rights.UpdateCertificate(t.Context(), d.id, muster.CertificateActive))
		back := s.dial(t, d, packet.V5)
		if ack := back.Connect(packet.Connect{ClientID: "hub"}); ack.Reason != packet.Success || !ack.SessionPresent {
			t.Errorf("CONNECT after %s is answered with %v, session present %v; want in, and the session kept", status, ack.Reason, ack.SessionPresent)
		}
		if got := s.get(t, d); got != http.StatusOK {
			t.Errorf("HTTPS after %s = %d, want 200", status, got)
		}
		back.Close()
	}
}

func TestAUTH40AUTH43NoAttachmentIsNeeded(t *testing.T) {
	s := newDeployment(t)
	d := s.newDevice(t, "hub", muster.CertificateActive)
	s.allow(t, d, named("lamp", "pump"))
	c := s.connect(t, d, "hub")
	for _, thing := range []string{"lamp", "pump"} {
		topic := "$aws/things/" + thing + "/jobs/get"
		c.Send(&packet.Publish{Topic: topic, Payload: []byte("{}")})
		if p, ok := c.Next().(*packet.Publish); !ok || p.Topic != topic+"/accepted" {
			t.Errorf("a gateway without attachments asks for %s and hears %+v", thing, p)
		}
	}
}

func TestAUTH53AttachingAgainIsSilent(t *testing.T) {
	s := newDeployment(t)
	d := s.newDevice(t, "hub", muster.CertificateActive)
	policy := s.allow(t, d, named("lamp"))
	c := s.connect(t, d, "hub")
	s.must(t, s.Rights.AttachPolicy(t.Context(), policy, target(d)))
	c.ExpectNothing()
	s.must(t, s.Rights.DetachPolicy(t.Context(), policy, target(d)))
	again := s.dial(t, d, packet.V5)
	if ack := again.Connect(packet.Connect{ClientID: "hub"}); ack.Reason != packet.NotAuthorized {
		t.Errorf("CONNECT with the policy detached once is answered with %v", ack.Reason)
	}
}

// mqttOnly is a policy for the client hub of some actions on the lamp's topics.
func mqttOnly(actions string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"` + arn + `client/hub"},
	 {"Effect":"Allow","Action":` + actions + `,"Resource":["` + arn + `topic/$aws/things/lamp/jobs/*","` + arn + `topicfilter/$aws/things/lamp/jobs/*"]}]}`
}

func TestAUTH67ReceiveAppliesToWhatTheJobsServiceSends(t *testing.T) {
	s := newDeployment(t)
	d := s.newDevice(t, "hub", muster.CertificateActive)
	s.allow(t, d, mqttOnly(`["iot:Publish","iot:Subscribe"]`))
	c := s.connect(t, d, "hub")
	c.Subscribe(1, "$aws/things/lamp/jobs/#")
	c.Publish("$aws/things/lamp/jobs/get", "{}") // acknowledged, and nothing else
	c.Publish("$aws/things/lamp/jobs/start-next", "{}")
	c.ExpectNothing()
}

func TestAUTH68RepliesNeedNoSubscription(t *testing.T) {
	s := newDeployment(t)
	d := s.newDevice(t, "hub", muster.CertificateActive)
	s.allow(t, d, mqttOnly(`["iot:Publish","iot:Receive"]`))
	c := s.connect(t, d, "hub")
	if reasons := c.Subscribe(1, "$aws/things/lamp/jobs/get/accepted"); reasons[0] != packet.NotAuthorized {
		t.Errorf("SUBSCRIBE is answered with %v", reasons)
	}
	c.Send(&packet.Publish{Topic: "$aws/things/lamp/jobs/get", Payload: []byte("{}")})
	if p, ok := c.Next().(*packet.Publish); !ok || p.Topic != "$aws/things/lamp/jobs/get/accepted" {
		t.Errorf("the reply is %+v", p)
	}
}

func TestAUTH20AUTH21TheCertificateIDIsThePrincipal(t *testing.T) {
	s := newDeployment(t)
	d := s.newDevice(t, "hub", muster.CertificateActive)
	s.allow(t, d, named("lamp"))
	c := s.connect(t, d, "hub")
	if n := s.gateway.DisconnectPrincipal(string(d.id), "API_INITIATED_DISCONNECT"); n != 1 {
		t.Errorf("%d connections are of the principal %s, want 1", n, d.id)
	}
	c.ExpectDisconnect(packet.NotAuthorized)
}
