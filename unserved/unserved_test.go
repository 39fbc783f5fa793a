package unserved_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/mqtttest"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/internal/logtest"
	"github.com/muster-iot/muster/unserved"
)

var now = time.UnixMilli(1_790_000_000_123)

// jobs stands for the features that Muster has.
type jobs struct{}

func (jobs) Use(topic string) gateway.Use {
	if strings.HasPrefix(topic, "$aws/things/lamp/jobs/") {
		return gateway.Served
	}
	return gateway.Forbidden
}

func (jobs) Request(r gateway.Request, reply func(string, []byte)) {
	reply(r.Topic+"/accepted", []byte("{}"))
}

// anybody admits every client and permits what is not in denied.
type anybody struct{ denied []string }

func (a anybody) Connect(context.Context, gateway.Connect) (gateway.Grant, error) { return a, nil }
func (a anybody) Principal() string                                               { return "certificate" }
func (a anybody) Publish(topic string, _ bool) error                              { return a.may("publish " + topic) }
func (a anybody) Subscribe(filter string) error                                   { return a.may("subscribe " + filter) }
func (a anybody) Receive(topic string) bool                                       { return a.may("receive "+topic) == nil }

func (a anybody) may(what string) error {
	if slices.Contains(a.denied, what) {
		return errors.New("denied")
	}
	return nil
}

// requests holds one request of each kind, with the rejection in AWS's own form.
var requests = map[string]struct{ payload, topic, want string }{
	"$aws/things/lamp/shadow/get": {
		`{"clientToken":"t<1>\u0041"}`, "$aws/things/lamp/shadow/get/rejected",
		`{"code":501,"message":"501 Not Implemented: this server does not have the Device Shadow service","timestamp":1790000000,"clientToken":"t<1>\u0041"}`,
	},
	"$aws/things/lamp/shadow/update": {
		`not JSON`, "$aws/things/lamp/shadow/update/rejected",
		`{"code":501,"message":"501 Not Implemented: this server does not have the Device Shadow service","timestamp":1790000000}`,
	},
	"$aws/things/lamp/shadow/delete": {
		``, "$aws/things/lamp/shadow/delete/rejected",
		`{"code":501,"message":"501 Not Implemented: this server does not have the Device Shadow service","timestamp":1790000000}`,
	},
	"$aws/things/lamp/shadow/name/config/get": {
		`{"clientToken":7}`, "$aws/things/lamp/shadow/name/config/get/rejected",
		`{"code":501,"message":"501 Not Implemented: this server does not have the Device Shadow service","timestamp":1790000000}`,
	},
	"$aws/things/lamp/shadow/name/config/update": {
		`{"clientToken":"` + strings.Repeat("x", 300) + `"}`, "$aws/things/lamp/shadow/name/config/update/rejected",
		`{"code":501,"message":"501 Not Implemented: this server does not have the Device Shadow service","timestamp":1790000000}`,
	},
	"$aws/things/lamp/shadow/name/config/delete": {
		`{}`, "$aws/things/lamp/shadow/name/config/delete/rejected",
		`{"code":501,"message":"501 Not Implemented: this server does not have the Device Shadow service","timestamp":1790000000}`,
	},
	"$aws/things/lamp/defender/metrics/json": {
		`{"header":{"report_id":1530304554,"version":"1.0"},"metrics":{}}`, "$aws/things/lamp/defender/metrics/json/rejected",
		`{"thingName":"lamp","status":"REJECTED","statusDetails":{"ErrorCode":"NotImplemented","ErrorMessage":"501 Not Implemented: this server does not have Device Defender"},"timestamp":1790000000123,"reportId":1530304554}`,
	},
	"$aws/things/lamp/defender/metrics/cbor": {
		"\xa0", "$aws/things/lamp/defender/metrics/cbor/rejected",
		`{"thingName":"lamp","status":"REJECTED","statusDetails":{"ErrorCode":"NotImplemented","ErrorMessage":"501 Not Implemented: this server does not have Device Defender"},"timestamp":1790000000123}`,
	},
	"$aws/things/lamp/streams/fw/describe/json": {
		`{"c":"t1"}`, "$aws/things/lamp/streams/fw/rejected/json",
		`{"o":"NotImplemented","m":"501 Not Implemented: this server does not have file delivery by streams","c":"t1"}`,
	},
	"$aws/things/lamp/streams/fw/get/cbor": {
		`{"c":"JSON where CBOR was announced"}`, "$aws/things/lamp/streams/fw/rejected/cbor",
		`{"o":"NotImplemented","m":"501 Not Implemented: this server does not have file delivery by streams","c":"JSON where CBOR was announced"}`,
	},
	"$aws/certificates/create/json": {
		`{}`, "$aws/certificates/create/json/rejected",
		`{"statusCode":501,"errorCode":"NotImplemented","errorMessage":"501 Not Implemented: this server does not have fleet provisioning"}`,
	},
	"$aws/certificates/create-from-csr/cbor": {
		"\xa0", "$aws/certificates/create-from-csr/cbor/rejected",
		`{"statusCode":501,"errorCode":"NotImplemented","errorMessage":"501 Not Implemented: this server does not have fleet provisioning"}`,
	},
	"$aws/provisioning-templates/factory/provision/json": {
		`{}`, "$aws/provisioning-templates/factory/provision/json/rejected",
		`{"statusCode":501,"errorCode":"NotImplemented","errorMessage":"501 Not Implemented: this server does not have fleet provisioning"}`,
	},
	"$aws/commands/things/response/executions/e-1/response/json": {
		`{"status":"SUCCEEDED"}`, "$aws/commands/things/response/executions/e-1/response/rejected/json",
		`{"error":"NotImplemented","errorMessage":"501 Not Implemented: this server does not have commands","executionId":"e-1"}`,
	},
	"$aws/commands/clients/lamp/executions/e-1/response": {
		`{"status":"SUCCEEDED"}`, "$aws/commands/clients/lamp/executions/e-1/response/rejected",
		`{"error":"NotImplemented","errorMessage":"501 Not Implemented: this server does not have commands","executionId":"e-1"}`,
	},
	"$aws/device_location/lamp/get_position_estimate": {
		`{}`, "$aws/device_location/lamp/get_position_estimate/rejected",
		`{"errorCode":501,"errorMessage":"501 Not Implemented: this server does not have device location"}`,
	},
	"$aws/rules/store/a/b/c/d/e":                  {`{}`, "", ""},
	"$aws/things/lamp/greengrassv2/health/json":   {`{}`, "", ""},
	"$aws/iotfleetwise/vehicles/lamp/checkins":    {`{}`, "", ""},
	"$aws/things/lamp/jobs/start-next":            {`{}`, "$aws/things/lamp/jobs/start-next/accepted", `{}`},
	"$aws/things/lamp/jobs/shadow/get":            {`{}`, "$aws/things/lamp/jobs/shadow/get/accepted", `{}`},
	"$aws/things/lamp/jobs/fw/namespace-a/update": {`{}`, "$aws/things/lamp/jobs/fw/namespace-a/update/accepted", `{}`},
}

func TestRequestsAreRejectedInTheFeaturesOwnForm(t *testing.T) {
	topics := unserved.New(unserved.Options{Served: jobs{}, Now: func() time.Time { return now }})
	for topic, c := range requests {
		want := gateway.Unserved
		if strings.Contains(topic, "/jobs/") {
			want = gateway.Served
		}
		if got := topics.Use(topic); got != want {
			t.Errorf("Use(%q) = %d, want %d", topic, got, want)
		}
		replied, body := "", []byte(nil)
		topics.Request(gateway.Request{Topic: topic, Payload: []byte(c.payload), ClientID: "lamp", Grant: anybody{}}, func(topic string, payload []byte) {
			replied, body = replied+topic, payload
		})
		if strings.HasSuffix(topic, "/cbor") {
			got, rest := fromCBOR(t, body)
			if len(rest) > 0 {
				t.Errorf("%s: %x follows the object", topic, rest)
			}
			var want any
			if err := json.Unmarshal([]byte(c.want), &want); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s is answered with %v, want %v", topic, got, want)
			}
		} else if string(body) != c.want {
			t.Errorf("%s is answered with\n%s, want\n%s", topic, body, c.want)
		}
		if replied != c.topic {
			t.Errorf("%s is answered on %q, want %q", topic, replied, c.topic)
		}
	}
}

// fromCBOR decodes one value, to the types of encoding/json.
func fromCBOR(t *testing.T, b []byte) (v any, rest []byte) {
	t.Helper()
	if len(b) == 0 {
		t.Fatal("no CBOR")
	}
	major, n, b := b[0]>>5, uint64(b[0]&31), b[1:]
	if n >= 24 {
		size := 1 << (n - 24)
		n = 0
		for _, one := range b[:size] {
			n = n<<8 | uint64(one)
		}
		b = b[size:]
	}
	switch major {
	case 0:
		return float64(n), b
	case 3:
		return string(b[:n]), b[n:]
	case 5:
		m := map[string]any{}
		for range n {
			var name, value any
			name, b = fromCBOR(t, b)
			value, b = fromCBOR(t, b)
			m[name.(string)] = value
		}
		return m, b
	}
	t.Fatalf("CBOR of major type %d", major)
	return nil, nil
}

// The bytes that RFC 8949 requires, written by hand.
func TestCBOR(t *testing.T) {
	topics := unserved.New(unserved.Options{Served: jobs{}, Now: func() time.Time { return now }})
	var got []byte
	topics.Request(gateway.Request{Topic: "$aws/certificates/create/cbor", Grant: anybody{}}, func(_ string, payload []byte) { got = payload })
	want := "a3" + "6a" + hex.EncodeToString([]byte("statusCode")) + "1901f5" +
		"69" + hex.EncodeToString([]byte("errorCode")) + "6e" + hex.EncodeToString([]byte("NotImplemented")) +
		"6c" + hex.EncodeToString([]byte("errorMessage")) + "7841" +
		hex.EncodeToString([]byte("501 Not Implemented: this server does not have fleet provisioning"))
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
}

func TestWhatIsNoRequestIsForbidden(t *testing.T) {
	topics := unserved.New(unserved.Options{Served: jobs{}, Now: time.Now})
	for _, topic := range []string{
		"$aws", "$aws/", "$SYS/x", "$aws/x", "$aws/things", "$aws/things/lamp", "$aws/things/lamp/x",
		"$aws/things/lamp/shadow", "$aws/things/lamp/shadow/", "$aws/things/lamp/shadow/get/accepted", "$aws/things/lamp/shadow/get/rejected",
		"$aws/things/lamp/shadow/update/delta", "$aws/things/lamp/shadow/update/documents", "$aws/things/lamp/shadow/name/a/update/delta",
		"$aws/things/lamp/shadow/name/a", "$aws/things/lamp/shadow/put", "$aws/things/lamp/defender/metrics", "$aws/things/lamp/defender/metrics/json/accepted",
		"$aws/things/lamp/streams/s/data/json", "$aws/things/lamp/streams/s/rejected/json", "$aws/things/lamp/streams/s/get/xml",
		"$aws/certificates/create", "$aws/certificates/create/json/accepted", "$aws/provisioning-templates/a/provision/json/rejected",
		"$aws/commands/things/lamp/executions/e/request/json", "$aws/commands/things/lamp/executions/e/response/accepted/json", "$aws/commands/x/lamp/executions/e/response",
		"$aws/device_location/lamp/get_position_estimate/accepted", "$aws/rules", "$aws/events/job/x/completed", "$aws/things/lamp/tunnels/notify",
		"$share/a/$aws/things/lamp/shadow/get", "aws/things/lamp/shadow/get", "$aws/iotfleetwise/vehicles/lamp/other",
	} {
		if got := topics.Use(topic); got != gateway.Forbidden {
			t.Errorf("Use(%q) = %d, want it forbidden", topic, got)
		}
	}
}

func TestOneWarningADeviceAndHour(t *testing.T) {
	var log logtest.Log
	at := now
	topics := unserved.New(unserved.Options{Served: jobs{}, Now: func() time.Time { return at }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	ask := func(client string, n int) {
		for range n {
			topics.Request(gateway.Request{Topic: "$aws/things/lamp/shadow/get", Payload: []byte(`{"secret":"s3"}`), ClientID: client, Grant: anybody{}}, func(string, []byte) {})
		}
	}
	ask("lamp", 10)
	ask("pump", 1)
	at = at.Add(time.Hour)
	ask("lamp", 2)
	lines := log.Lines()
	if len(lines) != 3 || !strings.Contains(lines[2], "left_out=9") {
		t.Fatalf("the log is\n%s\nwant a line for lamp, one for pump, and one for lamp an hour later that counts 9", strings.Join(lines, "\n"))
	}
	for _, want := range []string{"level=WARN", "the Device Shadow service", "topic=$aws/things/lamp/shadow/get", "client=lamp", "principal=certificate"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("%s\nlacks %q", lines[0], want)
		}
	}
	if strings.Contains(strings.Join(lines, ""), "s3") {
		t.Error("the log shows a payload")
	}
	for i := range 100_000 {
		ask(fmt.Sprint("client", i), 1)
	}
	if n := len(log.Lines()); n > 700 {
		t.Errorf("100,000 devices write %d lines in an hour", n)
	}
}

// One connection uses shadows and jobs, as a great deal of firmware does, with and without subscriptions (MQ-71, MQ-73, MQ-74, MQ-78).
func TestAConnectionThatUsesShadowsGetsItsJobs(t *testing.T) {
	for _, version := range []byte{packet.V311, packet.V5} {
		t.Run(fmt.Sprint("MQTT ", version), func(t *testing.T) {
			may := anybody{denied: []string{"publish $aws/things/other/shadow/get", "receive $aws/things/deaf/shadow/get/rejected"}}
			s, err := gateway.New(t.Context(), gateway.Options{
				Authorizer: may, Reserved: unserved.New(unserved.Options{Served: jobs{}, Now: func() time.Time { return now }}),
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { s.Run(ctx) })
			defer running.Wait()
			defer stop()
			connect := func(id string) *mqtttest.Client {
				ours, theirs := net.Pipe()
				go s.ServeConn(ours, gateway.Peer{Addr: "pipe"})
				c := mqtttest.New(t, theirs, version)
				c.Connect(packet.Connect{ClientID: id, Clean: true})
				return c
			}
			spy := connect("spy")
			spy.Subscribe(1, "#", "$aws/things/+/shadow/#", "$aws/things/+/shadow/get/rejected")
			c := connect("lamp")
			for _, subscribed := range []bool{false, true} {
				if subscribed {
					for _, granted := range c.Subscribe(1, "$aws/things/lamp/shadow/get/+", "$aws/things/lamp/shadow/#", "$aws/things/lamp/streams/+/data/cbor",
						"$aws/commands/things/lamp/executions/+/response/rejected/json", "$aws/certificates/create/json/accepted") {
						if granted != packet.GrantedQoS1 {
							t.Errorf("a subscription to a feature that is not served is answered with 0x%02X", byte(granted))
						}
					}
				}
				c.Send(&packet.Publish{Topic: "$aws/things/lamp/shadow/get", Payload: []byte(`{"clientToken":"1"}`), QoS: 1, ID: 9})
				got := c.ExpectMessage("$aws/things/lamp/shadow/get/rejected",
					`{"code":501,"message":"501 Not Implemented: this server does not have the Device Shadow service","timestamp":1790000000,"clientToken":"1"}`)
				if want := map[bool]byte{true: 1}[subscribed]; got.QoS != want || got.Retain {
					t.Errorf("the rejection has QoS %d, retain %v; want %d and false", got.QoS, got.Retain, want)
				}
				c.Expect(&packet.Puback{ID: 9})
				c.Send(&packet.Publish{Topic: "$aws/rules/store/x", Payload: []byte("1"), QoS: 1, ID: 10})
				c.Expect(&packet.Puback{ID: 10})
				c.Send(&packet.Publish{Topic: "$aws/things/deaf/shadow/get", QoS: 1, ID: 11})
				c.Expect(&packet.Puback{ID: 11})
				c.Send(&packet.Publish{Topic: "$aws/things/lamp/jobs/start-next", Payload: []byte(`{}`)})
				c.ExpectMessage("$aws/things/lamp/jobs/start-next/accepted", "{}")
				c.ExpectNothing()
			}
			if version == packet.V5 {
				c.Send(&packet.Publish{Topic: "$aws/things/other/shadow/get", QoS: 1, ID: 12})
				c.Expect(&packet.Puback{ID: 12, Reason: packet.NotAuthorized})
			}
			c.Send(&packet.Publish{Topic: "$aws/things/other/shadow/get"})
			c.ExpectDisconnect(packet.NotAuthorized)
			c = connect("lamp")
			c.Send(&packet.Publish{Topic: "$aws/things/lamp/shadow/get/rejected", Payload: []byte("forged")})
			c.ExpectDisconnect(packet.NotAuthorized)
			spy.ExpectNothing()
			if got := s.Stats(); got.Unserved != 6 || got.Requests != 2 {
				t.Errorf("%d requests counted as unserved and %d as served, want 6 and 2", got.Unserved, got.Requests)
			}
		})
	}
}

// A caller over HTTPS gets an error in the answer, because a rejection would have no connection to go to (MQ-76).
func TestARequestWithoutAConnectionIsRefused(t *testing.T) {
	s, err := gateway.New(t.Context(), gateway.Options{Authorizer: anybody{}, Reserved: unserved.New(unserved.Options{Served: jobs{}, Now: time.Now})})
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]error{
		"$aws/things/lamp/shadow/update":       gateway.ErrUnserved,
		"$aws/rules/store/x":                   gateway.ErrUnserved,
		"$aws/things/lamp/shadow/update/delta": gateway.ErrRefused,
		"$aws/things/lamp/jobs/start-next":     nil,
	} {
		if err := s.PublishAs(t.Context(), anybody{}, gateway.Message{Topic: topic}); !errors.Is(err, want) {
			t.Errorf("PublishAs to %s = %v, want %v", topic, err, want)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for topic, c := range requests {
		f.Add(topic, []byte(c.payload))
	}
	topics := unserved.New(unserved.Options{Served: jobs{}, Now: func() time.Time { return now }})
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		use := topics.Use(topic)
		topics.Request(gateway.Request{Topic: topic, Payload: payload, Grant: anybody{}}, func(on string, body []byte) {
			if use == gateway.Forbidden {
				t.Fatalf("%q is forbidden and answered", topic)
			}
			if !strings.Contains(on, "rejected") && use == gateway.Unserved {
				t.Fatalf("%q is answered on %q", topic, on)
			}
			if strings.HasSuffix(topic, "/cbor") && use == gateway.Unserved {
				if _, rest := fromCBOR(t, body); len(rest) > 0 {
					t.Fatalf("%q is answered with %x", topic, body)
				}
			} else if !json.Valid(body) {
				t.Fatalf("%q is answered with %q", topic, body)
			}
		})
	})
}
