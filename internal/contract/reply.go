package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/muster-iot/muster/awsiot/wire"
)

// The forms of replies over MQTT (jobs-data-plane.md sections 3 and 6): every member
// that there can be with its JSON type, and a star if it is required. They are written
// by hand because no model has them.
var forms = map[string]map[string]string{
	"execution": {
		"jobId": "string*", "jobDocument": "object", "status": "status*", "statusDetails": "details", "queuedAt": "seconds*",
		"startedAt": "seconds", "lastUpdatedAt": "seconds*", "versionNumber": "integer*", "executionNumber": "integer*",
		"approximateSecondsBeforeTimedOut": "integer",
	},
	"summary": {
		"jobId": "string*", "queuedAt": "seconds*", "lastUpdatedAt": "seconds*", "startedAt": "seconds",
		"executionNumber": "integer*", "versionNumber": "integer*",
	},
	"state":                        {"status": "status*", "statusDetails": "details", "versionNumber": "integer*"},
	"rejected":                     {"clientToken": "token", "timestamp": "seconds*", "code": "string*", "message": "string*", "executionState": "state"},
	"GetPendingJobExecutions":      {"clientToken": "token", "timestamp": "seconds*", "inProgressJobs": "summaries*", "queuedJobs": "summaries*"},
	"StartNextPendingJobExecution": {"clientToken": "token", "timestamp": "seconds*", "execution": "execution"},
	"DescribeJobExecution":         {"clientToken": "token", "timestamp": "seconds*", "execution": "execution"},
	"UpdateJobExecution":           {"clientToken": "token", "timestamp": "seconds*", "executionState": "state", "jobDocument": "object"},
}

// codes are the error codes of jobs-data-plane.md section 8 that a valid request may
// get, by operation.
var codes = map[string][]string{
	"GetPendingJobExecutions":      {"ResourceNotFound"},
	"StartNextPendingJobExecution": {"ResourceNotFound", "InvalidRequest"},
	"DescribeJobExecution":         {"ResourceNotFound", "TerminalStateReached", "InvalidRequest"},
	"UpdateJobExecution":           {"ResourceNotFound", "VersionMismatch", "InvalidStateTransition", "InvalidRequest"},
}

// scalars match the JSON texts of the scalar types of the forms.
var scalars = map[string]*regexp.Regexp{
	"string":  regexp.MustCompile(`^".+"$`),
	"token":   regexp.MustCompile(`^"`),
	"integer": regexp.MustCompile(`^(0|[1-9][0-9]*)$`),
	"seconds": regexp.MustCompile(`^[1-9][0-9]{9}$`),
	"status":  regexp.MustCompile(`^"(QUEUED|IN_PROGRESS|SUCCEEDED|FAILED|TIMED_OUT|REJECTED|REMOVED|CANCELED)"$`),
	"object":  regexp.MustCompile(`^\{`),
}

// reply returns what is wrong with the reply to a message.
func (j *judge) reply(m *message, r reply) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.payload, &members); err != nil {
		return fmt.Errorf("the reply is no JSON object: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, r.payload); err != nil || !bytes.Equal(compact.Bytes(), r.payload) {
		return complaint("the reply is not compact") // C10
	}
	if token := members["clientToken"]; !sameText(string(token), m.token) {
		return fmt.Errorf("the clientToken is %s, want %s", token, m.token)
	}
	if code, rejected := stringMember(r.payload, "code"); rejected {
		return j.rejected(m, r, code)
	}
	switch {
	case r.topic != m.topic+"/accepted":
		return complaint("the reply is on another topic")
	case m.code != "":
		return fmt.Errorf("want the code %s", m.code)
	}
	if err := inForm("reply", r.payload, m.op.Name); err != nil {
		return err
	}
	return asked(m, members)
}

// rejected judges a refusal.
func (j *judge) rejected(m *message, r reply, code string) error {
	message, _ := stringMember(r.payload, "message")
	switch {
	case r.topic != m.topic+"/rejected":
		return complaint("the refusal is on another topic")
	case m.code != "" && code != m.code:
		return fmt.Errorf("want the code %s", m.code)
	case m.code == "" && !slices.Contains(codes[m.op.Name], code):
		return fmt.Errorf("the code %s is none for a request like this", code)
	case m.code == "" && code == "InvalidRequest" && strings.Contains(message, "failed to satisfy constraint"):
		return complaint("the input keeps all limits, and a limit is given as the reason to refuse it")
	case !m.names.in(message):
		return fmt.Errorf("the refusal does not name %s", m.names)
	}
	if _, shown := memberOf(r.payload, "executionState"); shown != (code == "VersionMismatch" || code == "InvalidStateTransition") {
		return complaint("executionState goes with VersionMismatch and InvalidStateTransition, and only with them")
	}
	return inForm("reply", r.payload, "rejected")
}

// asked judges whether a reply contains what the request asked for.
func asked(m *message, members map[string]json.RawMessage) error {
	_, state := members["executionState"]
	if m.op == wire.UpdateJobExecution && state != m.state {
		return fmt.Errorf("executionState is there: %v, asked for: %v", state, m.state)
	}
	_, document := members["jobDocument"]
	if m.op == wire.UpdateJobExecution && document != m.withText {
		return fmt.Errorf("jobDocument is there: %v, asked for: %v", document, m.withText)
	}
	execution, some := members["execution"]
	if !some {
		return nil
	}
	_, document = memberOf(execution, "jobDocument")
	if want := m.op == wire.StartNextPendingJobExecution || m.withText; document != want {
		return fmt.Errorf("jobDocument is there: %v, asked for: %v", document, want)
	}
	return nil
}

// inForm checks an object against its form.
func inForm(at string, object json.RawMessage, form string) error {
	members, err := readObject(object)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	for name, kind := range forms[form] {
		if _, there := members[name]; !there && strings.HasSuffix(kind, "*") {
			return fmt.Errorf("%s: %s is missing", at, name)
		}
	}
	for name, text := range members {
		kind, ok := forms[form][name]
		if !ok {
			return fmt.Errorf("%s has no member %s", at, name)
		}
		if err := inKind(at+"."+name, text, strings.TrimSuffix(kind, "*")); err != nil {
			return err
		}
	}
	return nil
}

func inKind(at string, text json.RawMessage, kind string) error {
	switch {
	case forms[kind] != nil:
		return inForm(at, text, kind)
	case kind == "summaries":
		var all []json.RawMessage
		if err := json.Unmarshal(text, &all); err != nil || all == nil {
			return fmt.Errorf("%s: %s is no list", at, text)
		}
		for i, one := range all {
			if err := inForm(fmt.Sprintf("%s[%d]", at, i), one, "summary"); err != nil {
				return err
			}
		}
		return nil
	case kind == "details":
		var details map[string]string
		if err := json.Unmarshal(text, &details); err != nil || len(details) == 0 {
			return fmt.Errorf("%s: %s is no map of strings with anything in it", at, text)
		}
		return nil
	case !scalars[kind].Match(text):
		return fmt.Errorf("%s: %s is no %s", at, text, kind)
	}
	return nil
}

// readObject reads an object and fails if a member is there twice.
func readObject(text json.RawMessage) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("it is no object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, twice := members[name.(string)]; twice {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		members[name.(string)] = value
	}
	return members, nil
}

func memberOf(object []byte, name string) (json.RawMessage, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil, false
	}
	value, there := members[name]
	return value, there
}

// sameText reports whether two JSON strings have the same value; "" is no string.
func sameText(a, b string) bool {
	var left, right string
	if a == "" || b == "" {
		return a == b
	}
	return json.Unmarshal([]byte(a), &left) == nil && json.Unmarshal([]byte(b), &right) == nil && left == right
}
