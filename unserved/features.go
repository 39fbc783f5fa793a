package unserved

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/muster-iot/muster/gateway/topic"
)

// requests is one kind of topic that devices send requests of a feature to.
type requests struct {
	feature string // as the message of a rejection and the log call it
	filter  string // its topics
	// reject returns the topic and the body of the rejection, in the feature's own form. It is nil where AWS answers nothing.
	reject func(question) (string, object)
}

// question is a request that is about to be rejected.
type question struct {
	topic   string
	payload []byte
	at      time.Time
	why     string
}

// features are the topics that AWS IoT takes requests on and Muster does not, as the AWS IoT developer guide lists them under
// "Reserved topics". docs/mqtt.md has them too.
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

// find returns what the requests on a topic are for, nil for none.
func find(name string) *requests {
	for i := range features {
		if f := &features[i]; topic.Match(f.filter, name, false) {
			return f
		}
	}
	return nil
}

// code is what a rejection says wherever its form has a number for it, and its message everywhere.
const code = 501

func (f *requests) why() string { return "501 Not Implemented: this server does not have " + f.feature }

// cbor reports whether the answers are CBOR, as the last level of the topic asks.
func (f *requests) cbor() bool { return strings.HasSuffix(f.filter, "/cbor") }

// word is the code of those forms that have words for it.
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

// command rejects on …/response/rejected, with the encoding after it if the topic has one.
func command(q question) (string, object) {
	levels := slices.Insert(strings.Split(q.topic, "/"), 7, "rejected")
	return strings.Join(levels, "/"), object{{"error", text(word)}, {"errorMessage", text(q.why)}, {"executionId", text(q.level(5))}}
}

func location(q question) (string, object) {
	return q.topic + "/rejected", object{{"errorCode", number(code)}, {"errorMessage", text(q.why)}}
}

// level returns the n-th level of the topic, counted from 0.
func (q question) level(n int) string { return strings.Split(q.topic, "/")[n] }

// tokens are what a device tells its requests apart by. Of a request that is not JSON there are none.
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
	_ = json.Unmarshal(q.payload, &t) // a member of a wrong type is none
	return t
}

// tokenMax is the longest token that is repeated, in bytes as written in JSON.
const tokenMax = 256

// withToken adds a token as it is written, if it is a string.
func (o object) withToken(name string, token json.RawMessage) object {
	if len(token) < 2 || token[0] != '"' || len(token) > tokenMax {
		return o
	}
	return append(o, member{name, quoted(token)})
}
