package iotdata

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/gateway/packet"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
)

var account = muster.Account{ID: "000000000000", Region: "us-east-1"}

// broker remembers what it was asked, and holds retained messages.
type broker struct {
	published []gateway.Message
	kept      map[string]gateway.Retained
	clients   map[string]string // what was asked for each
}

func (b *broker) PublishAs(_ context.Context, g gateway.Grant, m gateway.Message) error {
	switch {
	case g.Publish(m.Topic, m.Retain) != nil:
		return fmt.Errorf("publish: %w", gateway.ErrRefused)
	case len(m.Payload) > 10:
		return fmt.Errorf("11 bytes: %w", gateway.ErrTooLarge)
	case strings.Contains(m.Topic, "+"):
		return fmt.Errorf("%w: wildcard", gateway.ErrTopic)
	case strings.Contains(m.Topic, "/shadow/"):
		return fmt.Errorf("publish to %q: %w", m.Topic, gateway.ErrUnserved)
	case m.Topic == "broken":
		return errors.New("disk on fire")
	}
	b.published = append(b.published, m)
	return nil
}

func (b *broker) Retained(topic string) (gateway.Retained, bool) {
	m, ok := b.kept[topic]
	return m, ok
}

func (b *broker) RetainedAfter(after string, limit int) (page []gateway.Retained) {
	for _, topic := range slices.Sorted(maps.Keys(b.kept)) {
		if topic > after && len(page) < limit {
			page = append(page, b.kept[topic])
		}
	}
	return page
}

func (b *broker) DisconnectClient(_ context.Context, client string, withWill, dropSession bool) (bool, error) {
	if client == "elsewhere" {
		return false, gateway.ErrElsewhere
	}
	if _, ok := b.clients[client]; !ok {
		return false, nil
	}
	b.clients[client] = fmt.Sprintf("will %v, session dropped %v", withWill, dropSession)
	return true, nil
}

// bench is a service, its broker, and what its requests ended with.
type bench struct {
	*Service
	*broker
	t     *testing.T
	ended []string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, broker: &broker{
		kept: map[string]gateway.Retained{
			"a":   {Message: gateway.Message{Topic: "a", Payload: []byte("on"), QoS: 1, Properties: packet.Properties(nil).WithUser("k", "v")}, Modified: time.UnixMilli(1_700_000_000_123)},
			"b/c": {Message: gateway.Message{Topic: "b/c", Payload: []byte("off")}},
		},
		clients: map[string]string{"lamp": ""},
	}}
	b.Service = New(Options{
		Broker: b.broker, Account: account, Now: func() time.Time { return time.Unix(0, 0) },
		Observe: func(operation, code string, _ time.Duration) { b.ended = append(b.ended, operation+" "+code) },
	})
	return b
}

// ask sends a request of a caller with a policy and returns status and body.
func (b *bench) ask(statement, method, target, body string, header ...string) (int, string) {
	b.t.Helper()
	p, err := iotpolicy.Parse("test", `{"Version":"2012-10-17","Statement":[`+statement+`]}`)
	if err != nil {
		b.t.Fatal(err)
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	w.Header().Set("X-Amzn-RequestId", "id-7")
	b.ServeCaller(w, r, identity.Caller{ARN: "arn:aws:iam::000000000000:user/x", Policies: iotpolicy.Set{p}})
	return w.Code, strings.TrimSpace(w.Header().Get("X-Amzn-ErrorType") + " " + w.Body.String())
}

const everything = `{"Effect":"Allow","Action":"iot:*","Resource":"*"}`

func TestPublishCarriesEverythingTheRequestSays(t *testing.T) {
	b := newBench(t)
	user := base64.StdEncoding.EncodeToString([]byte(`"[{\"k\":\"v\"},{\"k\":\"w\"}]"`)) // as boto3 sends it
	status, body := b.ask(everything, "POST",
		"/topics/a%2Fb?qos=1&retain=true&messageExpiry=60&contentType=text%2Fplain&responseTopic=re%2Fply", "on",
		"X-Amz-Mqtt5-User-Properties", user, "X-Amz-Mqtt5-Payload-Format-Indicator", "UTF8_DATA", "X-Amz-Mqtt5-Correlation-Data", "aWQ=")
	if status != 200 || body != `{"message":"OK","traceId":"id-7"}` {
		t.Fatalf("Publish = %d %s, want 200 OK", status, body)
	}
	properties := packet.Properties(nil).WithInt(packet.PayloadFormat, 1).WithText(packet.ContentType, "text/plain").
		WithText(packet.ResponseTopic, "re/ply").WithText(packet.CorrelationData, "id").WithUser("k", "v").WithUser("k", "w")
	want := gateway.Message{Topic: "a/b", Payload: []byte("on"), QoS: 1, Retain: true, Expiry: time.Minute, Properties: properties}
	if got := fmt.Sprintf("%+v", b.published); got != fmt.Sprintf("%+v", []gateway.Message{want}) {
		t.Errorf("published %s, want %+v", got, want)
	}
}

func TestPublishTakesATopicWithRawSlashes(t *testing.T) {
	b := newBench(t)
	if status, body := b.ask(everything, "POST", "/topics/a/b%2Fc", "x"); status != 200 || len(b.published) != 1 || b.published[0].Topic != "a/b/c" {
		t.Errorf("Publish = %d %s, published %+v; want 200 and a/b/c", status, body, b.published)
	}
}

func TestEveryRefusalIsInTheWordsOfTheAPI(t *testing.T) {
	const forbidden = `ForbiddenException {"message":"Forbidden","traceId":"id-7"}`
	onlyA := `{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:000000000000:topic/a"}`
	user := func(text string) []string {
		return []string{"X-Amz-Mqtt5-User-Properties", base64.StdEncoding.EncodeToString([]byte(text))}
	}
	tests := []struct {
		name, statement, method, target, body string
		header                                []string
		status                                int
		want                                  string // begins the answer
	}{
		{"QoS 2", everything, "POST", "/topics/a?qos=2", "", nil, 400, "InvalidRequestException"},
		{"a retain that is neither true nor false", everything, "POST", "/topics/a?retain=yes", "", nil, 400, "InvalidRequestException"},
		{"a wildcard", everything, "POST", "/topics/a%2F%2B", "", nil, 400, "InvalidRequestException"},
		{"a response topic with a wildcard", everything, "POST", "/topics/a?responseTopic=%23", "", nil, 400, "InvalidRequestException"},
		{"an expiry before now", everything, "POST", "/topics/a?messageExpiry=-1", "", nil, 400, "InvalidRequestException"},
		{"a payload that is too large", everything, "POST", "/topics/a", "elevenbytes", nil, 413, "RequestEntityTooLargeException"},
		{"correlation data that is not base64", everything, "POST", "/topics/a", "", []string{"X-Amz-Mqtt5-Correlation-Data", "?"}, 400, "InvalidRequestException"},
		{"user properties that are no array", everything, "POST", "/topics/a", "", user(`{"k":"v"}`), 400, "InvalidRequestException"},
		{"user properties with a name twice in one", everything, "POST", "/topics/a", "", user(`[{"k":"v","\u006b":"w"}]`), 400, "InvalidRequestException"},
		{"user properties with two names in one", everything, "POST", "/topics/a", "", user(`[{"k":"v","l":"w"}]`), 400, "InvalidRequestException"},
		{"user properties too long for MQTT", everything, "POST", "/topics/a", "", user(`[{"k":"` + strings.Repeat("v", 1<<16) + `"}]`), 400, "InvalidRequestException"},
		{"a topic that policy does not allow", onlyA, "POST", "/topics/b", "", nil, 403, forbidden},
		{"retained where only publishing is allowed", onlyA, "POST", "/topics/a?retain=true", "", nil, 403, forbidden},
		{"a feature that is not served", everything, "POST", "/topics/%24aws%2Fthings%2Flamp%2Fshadow%2Fupdate", "{}", nil, 501, "NotImplementedException"},
		{"a fault of ours", everything, "POST", "/topics/broken", "", nil, 500, "InternalFailureException"},
		{"a retained message that policy does not allow", onlyA, "GET", "/retainedMessage/a", "", nil, 403, forbidden},
		{"no retained message", everything, "GET", "/retainedMessage/none", "", nil, 404, "ResourceNotFoundException"},
		{"a list that policy does not allow", onlyA, "GET", "/retainedMessage", "", nil, 403, forbidden},
		{"a token nobody gave out", everything, "GET", "/retainedMessage?nextToken=%21", "", nil, 400, "InvalidRequestException"},
		{"a page of none", everything, "GET", "/retainedMessage?maxResults=0", "", nil, 400, "InvalidRequestException"},
		{"a client id of ours", everything, "DELETE", "/connections/%24lamp", "", nil, 400, "InvalidRequestException"},
		{"a client nobody knows", everything, "DELETE", "/connections/pump", "", nil, 404, "ResourceNotFoundException"},
		{"a client that policy does not allow", onlyA, "DELETE", "/connections/lamp", "", nil, 403, forbidden},
		{"a client of a node that is silent", everything, "DELETE", "/connections/elsewhere", "", nil, 500, `InternalFailureException {"message":"The server that has this client does not answer. Try again."`},
		{"another method", everything, "PUT", "/topics/a", "", nil, 405, "MethodNotAllowedException"},
		{"another path", everything, "GET", "/nothing", "", nil, 404, "ResourceNotFoundException"},
	}
	for _, tt := range tests {
		b := newBench(t)
		status, body := b.ask(tt.statement, tt.method, tt.target, tt.body, tt.header...)
		if status != tt.status || !strings.HasPrefix(body, tt.want) {
			t.Errorf("%s: %s %s = %d %s, want %d %s", tt.name, tt.method, tt.target, status, body, tt.status, tt.want)
		}
		if word, _, _ := strings.Cut(body, " "); len(b.ended) != 1 || !strings.HasSuffix(b.ended[0], " "+word) {
			t.Errorf("%s: observed %q, want one %s", tt.name, b.ended, word)
		}
		if len(b.published) > 0 || b.clients["lamp"] != "" {
			t.Errorf("%s: and yet it was done: %+v %v", tt.name, b.published, b.clients)
		}
	}
}

func TestRetainedMessagesAreShown(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct{ target, want string }{
		{"/retainedMessage/a", `{"lastModifiedTime":1700000000123,"payload":"b24=","qos":1,"topic":"a","userProperties":"W3siayI6InYifV0="}`},
		{"/retainedMessage/b%2Fc", `{"payload":"b2Zm","qos":0,"topic":"b/c"}`},
		{"/retainedMessage?maxResults=1", `{"nextToken":"YQ","retainedTopics":[{"lastModifiedTime":1700000000123,"payloadSize":2,"qos":1,"topic":"a"}]}`},
		{"/retainedMessage?nextToken=YQ", `{"retainedTopics":[{"payloadSize":3,"qos":0,"topic":"b/c"}]}`},
		{"/retainedMessage?nextToken=eg", `{"retainedTopics":[]}`},
	} {
		if status, body := b.ask(everything, "GET", tt.target, ""); status != 200 || body != tt.want {
			t.Errorf("GET %s = %d %s, want 200 %s", tt.target, status, body, tt.want)
		}
	}
}

func TestDeleteConnectionSaysWhatBecomesOfWillAndSession(t *testing.T) {
	for query, want := range map[string]string{
		"": "will true, session dropped false",
		"?preventWillMessage=true&cleanSession=true": "will false, session dropped true",
	} {
		b := newBench(t)
		status, body := b.ask(everything, "DELETE", "/connections/lamp"+query, "")
		if status != 200 || body != "" || b.clients["lamp"] != want {
			t.Errorf("DELETE lamp%s = %d %q, asked for %q; want 200 and %q", query, status, body, b.clients["lamp"], want)
		}
	}
}

// device may publish on its own topic.
type device struct{}

func (device) Principal() string { return "cert" }
func (device) Permits(action, resource string) error {
	if action == "iot:Publish" && resource == "topic/mine" {
		return nil
	}
	return errors.New("no")
}

func TestDevicesPublishWithTheirCertificates(t *testing.T) {
	const forbidden = `ForbiddenException`
	with := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte("der")}}}
	for name, tt := range map[string]struct {
		tls      *tls.ConnectionState
		identify error
		target   string
		status   int
		want     string
	}{
		"what it may":                 {with, nil, "/topics/mine", 200, ""},
		"what it may not":             {with, nil, "/topics/other", 403, forbidden},
		"without a certificate":       {&tls.ConnectionState{}, nil, "/topics/mine", 403, forbidden},
		"without TLS":                 {nil, nil, "/topics/mine", 403, forbidden},
		"a certificate of nobody":     {with, gateway.ErrRefused, "/topics/mine", 403, forbidden},
		"when the registry is silent": {with, errors.New("down"), "/topics/mine", 500, "InternalFailureException"},
	} {
		b := newBench(t)
		h := b.Devices(func(_ context.Context, der []byte, _ string) (Device, error) {
			if string(der) != "der" {
				t.Errorf("%s: asked who has certificate %q", name, der)
			}
			return device{}, tt.identify
		})
		r := httptest.NewRequest("POST", tt.target, strings.NewReader("x"))
		r.TLS = tt.tls
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || w.Header().Get("X-Amzn-ErrorType") != tt.want || w.Header().Get("X-Amzn-RequestId") == "" {
			t.Errorf("%s: %d %s %s, want %d %s with a request id", name, w.Code, w.Header().Get("X-Amzn-ErrorType"), w.Body, tt.status, tt.want)
		}
		if done := len(b.published) == 1; done != (tt.status == http.StatusOK) {
			t.Errorf("%s: published %+v with status %d", name, b.published, w.Code)
		}
	}
}
