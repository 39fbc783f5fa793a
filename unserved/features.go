package unserved

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster/gateway/topic"
)

// requests describes the topics of one kind of request of a feature.
type requests struct {
	feature string // its name in rejections and in the log
	filter  string // the topics of the requests
	// reject returns the topic and the body of the rejection, in the feature's own form. It is nil where AWS does not answer.
	reject func(question) (string, object)
}

// question is a request to be rejected.
type question struct {
	topic   string
	payload []byte
	at      time.Time
	why     string
}

// features are the topics on which AWS IoT accepts requests and Muster does not, from "Reserved topics" of the AWS IoT developer
// guide. docs/mqtt.md lists them too.
var features = []requests{
	{"the Device Shadow service", "$aws/things/+/shadow/get", shadow},
	{"the Device Shadow service", "$aws/things/+/shadow/update", shadow},
	{"the Device Shadow service", "$aws/things/+/shadow/delete", shadow},
	{"the Device Shadow service", "$aws/things/+/shadow/name/+/get", shadow},
	{"the Device Shadow service", "$aws/things/+/shadow/name/+/update", shadow},
	{"the Device Shadow service", "$aws/things/+/shadow/name/+/delete", shadow},
	{"Device Defender", "$aws/things/+/defender/metrics/json", defender},
	{"Device Defender", "$aws/things/+/defender/metrics/cbor", defender},
	{"file delivery by streams", "$aws/things/+/streams/+/describe/json", stream},
	{"file delivery by streams", "$aws/things/+/streams/+/describe/cbor", stream},
	{"file delivery by streams", "$aws/things/+/streams/+/get/json", stream},
	{"file delivery by streams", "$aws/things/+/streams/+/get/cbor", stream},
	{"file delivery by streams", "$aws/things/+/streams/+/create/json", stream},
	{"file delivery by streams", "$aws/things/+/streams/+/create/cbor", stream},
	{"fleet provisioning", "$aws/certificates/create/json", provisioning},
	{"fleet provisioning", "$aws/certificates/create/cbor", provisioning},
	{"fleet provisioning", "$aws/certificates/create-from-csr/json", provisioning},
	{"fleet provisioning", "$aws/certificates/create-from-csr/cbor", provisioning},
	{"fleet provisioning", "$aws/provisioning-templates/+/provision/json", provisioning},
	{"fleet provisioning", "$aws/provisioning-templates/+/provision/cbor", provisioning},
	{"commands", "$aws/commands/things/+/executions/+/response", command},
	{"commands", "$aws/commands/things/+/executions/+/response/json", command},
	{"commands", "$aws/commands/things/+/executions/+/response/cbor", command},
	{"commands", "$aws/commands/clients/+/executions/+/response", command},
	{"commands", "$aws/commands/clients/+/executions/+/response/json", command},
	{"commands", "$aws/commands/clients/+/executions/+/response/cbor", command},
	{"device location", "$aws/device_location/+/get_position_estimate", location},
	{"Basic Ingest", "$aws/rules/#", nil},
	{"the status of Greengrass cores", "$aws/things/+/greengrass/health/json", nil},
	{"the status of Greengrass cores", "$aws/things/+/greengrassv2/health/json", nil},
	{"FleetWise", "$aws/iotfleetwise/vehicles/+/checkins", nil},
	{"FleetWise", "$aws/iotfleetwise/vehicles/+/signals", nil},
}

// find returns the requests that a topic belongs to, nil for none.
func find(name string) *requests {
	for i := range features {
		if f := &features[i]; topic.Match(f.filter, name, false) {
			return f
		}
	}
	return nil
}

// code is the error code of a rejection whose form has a number for it; the message of every rejection contains it.
const code = 501

func (f *requests) why() string { return "501 Not Implemented: this server does not have " + f.feature }

// cbor reports whether answers are CBOR, by the last level of the topic.
func (f *requests) cbor() bool { return strings.HasSuffix(f.filter, "/cbor") }

// word is the error code of a rejection whose form has a word for it.
const word = "NotImplemented"

func shadow(q question) (string, object) {
	body := object{{"code", number(code)}, {"message", text(q.why)}, {"timestamp", number(q.at.Unix())}}
	return q.topic + "/rejected", body.withToken("clientToken", q.tokens().ClientToken)
}

func defender(q question) (string, object) {
	body := object{
		{"thingName", text(q.level(2))}, {"status", text("REJECTED")},
		{"statusDetails", object{{"ErrorCode", text(word)}, {"ErrorMessage", text(q.why)}}}, {"timestamp", number(q.at.UnixMilli())},
	}
	if id := q.tokens().Header.ReportID; id >= 0 {
		body = append(body, member{"reportId", number(id)})
	}
	return q.topic + "/rejected", body
}

// stream rejects on …/<stream>/rejected/<encoding>.
func stream(q question) (string, object) {
	levels := strings.Split(q.topic, "/")
	levels[5] = "rejected"
	body := object{{"o", text(word)}, {"m", text(q.why)}}
	return strings.Join(levels, "/"), body.withToken("c", q.tokens().C)
}

func provisioning(q question) (string, object) {
	return q.topic + "/rejected", object{{"statusCode", number(code)}, {"errorCode", text(word)}, {"errorMessage", text(q.why)}}
}

// command rejects on …/response/rejected, followed by the encoding if the topic has one.
func command(q question) (string, object) {
	levels := slices.Insert(strings.Split(q.topic, "/"), 7, "rejected")
	return strings.Join(levels, "/"), object{{"error", text(word)}, {"errorMessage", text(q.why)}, {"executionId", text(q.level(5))}}
}

func location(q question) (string, object) {
	return q.topic + "/rejected", object{{"errorCode", number(code)}, {"errorMessage", text(q.why)}}
}

// level returns the n-th level of the topic, counted from 0.
func (q question) level(n int) string { return strings.Split(q.topic, "/")[n] }

// tokens are the members by which a device recognises the answer to a request. A request that is not JSON has none.
type tokens struct {
	ClientToken json.RawMessage `json:"clientToken"`
	C           json.RawMessage `json:"c"`
	Header      struct {
		ReportID int64 `json:"report_id"`
	} `json:"header"`
}

func (q question) tokens() tokens {
	var t tokens
	t.Header.ReportID = -1
	_ = json.Unmarshal(q.payload, &t) // a member of a wrong type counts as absent
	return t
}

// tokenMax is the longest token that is repeated, in bytes as written in JSON.
const tokenMax = 256

// withToken adds a token as the device wrote it, if it is a string.
func (o object) withToken(name string, token json.RawMessage) object {
	if len(token) < 2 || token[0] != '"' || len(token) > tokenMax {
		return o
	}
	return append(o, member{name, quoted(token)})
}
