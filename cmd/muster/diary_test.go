package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/datafolder"
	"github.com/muster-iot/muster/diary"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/apiclient"
	"github.com/muster-iot/muster/operator"
	"github.com/muster-iot/muster/sigv4"
	"github.com/muster-iot/muster/store"
)

// witnessed is a server with listeners for devices, and what is stored of them.
type witnessed struct {
	*running
	t    *testing.T
	data string
}

func (w *witnessed) start() {
	w.t.Helper()
	w.running = startServer(w.t, w.data, "--mqtts", "127.0.0.1:0", "--https", "127.0.0.1:0")
}

func (w *witnessed) call(method, path string, body, answer any) {
	w.t.Helper()
	if err := w.Call(w.t.Context(), method, path, body, answer); err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// certificate makes one that is attached to a thing and has a policy with statements, and returns it with its id.
func (w *witnessed) certificate(thing, statements string, active bool) (tls.Certificate, string) {
	w.t.Helper()
	var made struct {
		CertificateArn, CertificateID, CertificatePem string
		KeyPair                                       struct{ PrivateKey string }
	}
	w.call("POST", fmt.Sprintf("/keys-and-certificate?setAsActive=%t", active), nil, &made)
	w.call("POST", "/policies/"+thing, object{"policyDocument": `{"Version":"2012-10-17","Statement":[` + statements + `]}`}, nil)
	w.call("PUT", "/target-policies/"+thing, object{"target": made.CertificateArn}, nil)
	w.call("POST", "/things/"+thing, object{}, nil)
	r, err := http.NewRequestWithContext(w.t.Context(), "PUT", w.ready.APIURL+"/things/"+thing+"/principals", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Amzn-Principal", made.CertificateArn)
	sigv4.Sign(r, nil, w.Credential, w.ready.Region, "iot", time.Now())
	if answer, err := http.DefaultClient.Do(r); err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatal(answer, err)
	}
	c, err := tls.X509KeyPair([]byte(made.CertificatePem), []byte(made.KeyPair.PrivateKey))
	if err != nil {
		w.t.Fatal(err)
	}
	return c, made.CertificateArn[strings.LastIndex(made.CertificateArn, "/")+1:]
}

// connect connects over TLS and returns the client, and how it was answered.
func (w *witnessed) connect(client string, certificates ...tls.Certificate) (*mqtttest.Client, packet.Reason) {
	w.t.Helper()
	conn, err := tls.Dial("tcp", w.ready.MQTTSAddr, &tls.Config{RootCAs: rootsIn(w.t, w.ready.CAFile), ServerName: "localhost", Certificates: certificates})
	if err != nil {
		w.t.Fatal(err)
	}
	c := mqtttest.New(w.t, conn, packet.V5)
	return c, c.Connect(packet.Connect{ClientID: client, KeepAlive: 60, Properties: packet.Properties{}.WithInt(packet.SessionExpiry, 3600)}).Reason
}

// request sends a request to the data plane and waits for the answer.
func request(c *mqtttest.Client, topic, payload string) {
	c.Send(&packet.Publish{Topic: topic, Payload: []byte(payload)})
	c.Next()
}

func (w *witnessed) refusals(query string) (page operator.RefusalPage) {
	w.t.Helper()
	w.call("GET", "/muster/v1/refusals"+query, nil, &page)
	return page
}

// diaries returns what is stored of things, after the server was stopped.
func (w *witnessed) diaries(things ...muster.ThingName) (all []muster.Diary) {
	w.t.Helper()
	s, err := datafolder.Folder(w.data).OpenStore(w.t.Context(), datafolder.StoreOptions{ReadOnly: true})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	err = s.View(w.t.Context(), func(r store.Reader) error {
		for _, thing := range things {
			d, err := diary.Of(r, thing)
			if err != nil {
				return err
			}
			all = append(all, d)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// What stock clients are refused and do is found again after kill -9, but for the last five seconds, and after a stop, all
// of it.
func TestDiariesAndRefusalsSurvive(t *testing.T) {
	w := &witnessed{t: t, data: filepath.Join(t.TempDir(), "data")}
	w.start()
	lamp, lampID := w.certificate("lamp", `{"Effect":"Allow","Action":"iot:Connect","Resource":"*"},{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"*"}`, true)
	pump, pumpID := w.certificate("pump", `{"Effect":"Allow","Action":"iot:*","Resource":"*"}`, false)
	w.call("POST", "/things/bell", object{}, nil)

	device, reason := w.connect("lamp", lamp)
	if reason != packet.Success {
		t.Fatal(reason)
	}
	if got := device.Subscribe(1, "$aws/things/lamp/jobs/notify"); got[0] != packet.NotAuthorized {
		t.Fatalf("a subscription without a policy is answered with %v", got)
	}
	request(device, "$aws/things/lamp/jobs/none/update", `{"status":"SUCCEEDED"}`)
	for _, refused := range []struct {
		client string
		with   []tls.Certificate
	}{{"pump", []tls.Certificate{pump}}, {"bell", []tls.Certificate{pump}}, {"lamp", []tls.Certificate{selfMade(t)}}} {
		if _, reason := w.connect(refused.client, refused.with...); reason != packet.NotAuthorized {
			t.Errorf("%s is answered with %v", refused.client, reason)
		}
	}
	https := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: rootsIn(t, w.ready.CAFile), Certificates: []tls.Certificate{lamp}}}}
	get := func(want int) {
		t.Helper()
		answer, err := https.Get(w.ready.HTTPSURL + "/things/lamp/jobs")
		if err != nil || answer.StatusCode != want {
			t.Fatal(answer, err)
		}
		answer.Body.Close()
	}
	get(http.StatusForbidden)
	if stranger, err := tls.Dial("tcp", w.ready.MQTTSAddr, &tls.Config{RootCAs: rootsIn(t, w.ready.CAFile), ServerName: "localhost"}); err == nil {
		_, _ = stranger.Read(make([]byte, 1)) // until it is told that it needs a certificate
		stranger.Close()
	}
	took := within(t, diary.Behind+startTimeout, "all refusals are listed", func() bool { return len(w.refusals("").Refusals) == 6 })
	t.Logf("the refusals are listed after %v", took)
	check := func() {
		t.Helper()
		for query, want := range map[string]int{"?thing=lamp": 3, "?thing=bell": 1, "?thing=pump": 2, "?principal=" + pumpID: 2, "?principal=" + lampID: 2, "?thing=lamp&principal=" + pumpID: 0, "?maxResults=4": 4} {
			if got := w.refusals(query).Refusals; len(got) != want {
				t.Errorf("%s: %+v, want %d", query, got, want)
			}
		}
		for _, f := range w.refusals("?principal=" + lampID).Refusals {
			if f.Why != "no statement allows it" || !f.Known || f.Thing != "lamp" || f.Count != 1 {
				t.Errorf("the lamp was refused %+v", f)
			}
		}
		strangers := 0
		for _, f := range w.refusals("").Refusals {
			if !f.Known && f.Thing == "" {
				strangers++
			}
		}
		if strangers != 2 { // one of them without a certificate
			t.Errorf("%d refusals are of strangers", strangers)
		}
	}
	check()
	w.kill(t)
	seen := w.diaries("lamp", "pump", "bell")
	switch d := seen[0]; {
	case d.Came.At == 0, d.Came.AsClientID, d.Denied.Action == "", d.Denied.Count != 1, d.Denied.Policy != "",
		d.Failed.Operation != "UpdateJobExecution", d.Failed.Code != "ResourceNotFound", d.Failed.Job != "none", d.Refused.At != 0:
		t.Errorf("stored of the lamp is %+v", d)
	}
	if r := seen[1].Refused; r.Why != "a certificate that is INACTIVE" || string(r.Certificate) != pumpID || r.Count != 2 || r.AsClientID {
		t.Errorf("stored of the pump is %+v", seen[1])
	}
	if seen[2] != (muster.Diary{}) {
		t.Errorf("strangers, and a certificate that is not active, have written %+v", seen[2])
	}

	w.start()
	check()
	device, _ = w.connect("lamp", lamp)
	request(device, "$aws/things/lamp/jobs/start-next", "")
	device.Send(&packet.Disconnect{})
	within(t, startTimeout, "the server notices that the client is gone", func() bool { return w.figure(t, "muster_mqtt_connections") == 0 })
	w.stop(t)
	d := w.diaries("lamp")[0]
	if d.Asked.Operation != "StartNextPendingJobExecution" || d.Left.Reason != "CLIENT_INITIATED_DISCONNECT" || d.Left.Kept != d.Left.At.Add(time.Hour) || d.Left.At < d.Came.At ||
		d.Failed.Operation == "" || d.Denied.Action == "" {
		t.Errorf("after a stop %+v is stored", d)
	}

	w.start()
	w.call("POST", "/policies/lamp/version?setAsDefault=true", object{"policyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iot:*","iotjobsdata:*"],"Resource":"*"}]}`}, nil)
	device, _ = w.connect("lamp", lamp)
	device.Subscribe(1, "$aws/things/lamp/jobs/notify")
	request(device, "$aws/things/lamp/jobs/get", "")
	get(http.StatusOK)
	w.job(t, "fw", "lamp")
	sees(t, device, `"jobId":"fw"`)
	request(device, "$aws/things/lamp/jobs/fw/update", `{"status":"SUCCEEDED"}`)
	within(t, startTimeout, "the job is done", func() bool {
		done, err := w.DescribeJob(t.Context(), "fw")
		return err == nil && done.Status == "COMPLETED"
	})
	w.stop(t)
	if d := w.diaries("lamp")[0]; d.Failed.At != 0 || d.Denied.At != 0 || d.Told.At != 0 || d.HTTPS == 0 || d.Asked.Operation != "GetPendingJobExecutions" {
		t.Errorf("after successes %+v is stored", d)
	}
	w.start()
	for _, query := range []string{"?thing=a%20b", "?maxResults=0", "?maxResults=251", "?nextToken=x", "?thing=", "?job=fw"} {
		err := w.Call(t.Context(), "GET", "/muster/v1/refusals"+query, nil, nil)
		if e, ok := errors.AsType[*apiclient.Error](err); !ok || e.Type != "InvalidRequestException" {
			t.Errorf("%s: %v", query, err)
		}
	}
	weak := &apiclient.Client{URL: w.ready.APIURL, Region: w.ready.Region, HTTP: http.DefaultClient,
		Credential: addKey(t, w.data, `{"Effect":"Allow","Action":"muster:ListRefusals","Resource":"arn:aws:iot:us-east-1:000000000000:thing/lamp"}`)}
	within(t, startTimeout, "the key is known", func() bool { return weak.Call(t.Context(), "GET", "/muster/v1/refusals?thing=lamp", nil, nil) == nil })
	for _, query := range []string{"", "?thing=pump", "?thing=nothing", "?principal=" + lampID, "?thing=lamp&thing=pump"} {
		err := weak.Call(t.Context(), "GET", "/muster/v1/refusals"+query, nil, nil)
		if e, ok := errors.AsType[*apiclient.Error](err); !ok || e.Type != "AccessDeniedException" && !strings.HasSuffix(query, "lamp&thing=pump") {
			t.Errorf("who may see the refusals of the lamp only is answered to %q: %v", query, err)
		}
	}
	w.stop(t)
}
