package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/muster-iot/muster/awsiot/route"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/awsiot/wire/wiretest"
)

// judge decides which answers the contract allows.
type judge struct {
	checker *wiretest.Checker
	router  *route.Router
	devices []*wire.Operation // that devices can call over MQTT, sorted
}

func newJudge() (*judge, error) {
	checker, err := wiretest.NewStrict()
	j := &judge{checker: checker, router: route.New(wire.Operations())}
	for _, op := range wire.Operations() {
		if deviceOperations[op] != nil {
			j.devices = append(j.devices, op)
		}
	}
	return j, err
}

var requestID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// answer returns what is wrong with the answer to a request.
func (j *judge) answer(q *request, a *answer) error {
	if id := a.header.Get("X-Amzn-Requestid"); !requestID.MatchString(id) {
		return fmt.Errorf("the request id is %q, want a UUID", id)
	}
	if length := a.header.Get("Content-Length"); length != strconv.Itoa(a.body.Len()) {
		return fmt.Errorf("Content-Length is %q, the body has %d bytes", length, a.body.Len())
	}
	switch {
	case q.expect.stranger:
		return strange(q, a)
	case a.status >= http.StatusInternalServerError:
		return complaint("a fault of the service")
	case q.expect.refused:
		return j.refusal(q, a)
	case q.expect.succeed && a.status != http.StatusOK:
		return complaint("want 200")
	}
	if a.errorType() == badInput(q.op).Name && bytes.Contains(a.body.Bytes(), []byte("failed to satisfy constraint")) {
		return complaint("the input keeps all limits, and a limit is given as the reason to refuse it")
	}
	return j.modelled(q, a)
}

// modelled checks an answer against the model.
func (j *judge) modelled(q *request, a *answer) error {
	body := a.body.Bytes()
	switch {
	case q.op.Service == wire.JobsData && a.errorType() == "InvalidStateTransitionException":
		body = withoutState(body)
	case q.op.Service == wire.IoTData && (a.errorType() != "" || q.op == wire.Publish):
		body = withoutTrace(body)
	}
	if e, ok := q.op.Error(a.errorType()); !ok && a.errorType() == badInput(q.op).Name {
		return plainError(a, body, badInput(q.op))
	} else if status := unmodelled[q.op][a.errorType()]; !ok && status != 0 {
		return plainError(a, body, &wire.ErrorShape{Name: a.errorType(), Status: status})
	} else if ok && e.Status != a.status {
		return fmt.Errorf("%s has status %d", e.Name, e.Status)
	}
	if err := j.checker.Verify(q.op, a.status, a.header, body); err != nil {
		return err
	}
	return q.in.missing(a)
}

// badInput returns the error of an operation for bad input, also for the operations
// that model none.
func badInput(op *wire.Operation) *wire.ErrorShape {
	if e := op.BadInput(); e != nil {
		return e
	}
	return &wire.ErrorShape{Name: "InvalidRequestException", Status: http.StatusBadRequest}
}

// refusal judges the answer to bad input.
func (j *judge) refusal(q *request, a *answer) error {
	want := badInput(q.op)
	if a.status != want.Status || a.errorType() != want.Name {
		return fmt.Errorf("the input is bad, want %d %s", want.Status, want.Name)
	}
	message, _ := stringMember(a.body.Bytes(), "message")
	if !q.expect.names.in(message) {
		return fmt.Errorf("the refusal does not name %s", q.expect.names)
	}
	return j.modelled(q, a)
}

// in reports whether a message contains one of the names as a word of its own.
func (all names) in(message string) bool {
	for _, name := range all {
		if regexp.MustCompile(`(^|[^\pL\pN])` + regexp.QuoteMeta(name) + `([^\pL\pN]|$)`).MatchString(message) {
			return true
		}
	}
	return len(all) == 0
}

// strange judges the answer to a request that is refused before it reaches an
// operation.
func strange(q *request, a *answer) error {
	want := q.expect
	if a.status != want.status || want.error != "" && a.errorType() != want.error {
		return fmt.Errorf("want %d %s", want.status, want.error)
	}
	if message, _ := stringMember(a.body.Bytes(), "message"); !want.names.in(message) {
		return fmt.Errorf("the answer does not name %s", want.names)
	}
	return plainError(a, withoutTrace(a.body.Bytes()), &wire.ErrorShape{Name: a.errorType(), Status: want.status})
}

// plainError judges an error that no operation models. It has a name, a status, and a
// message as its only member.
func plainError(a *answer, body []byte, want *wire.ErrorShape) error {
	var members map[string]string
	if err := json.Unmarshal(body, &members); err != nil {
		return fmt.Errorf("the body is no object of strings: %w", err)
	}
	if members["message"] == "" || len(members) != 1 || a.errorType() == "" || a.status != want.Status || a.header.Get("Content-Type") != "application/json" {
		return fmt.Errorf("want an error of the form {\"message\":\"...\"} with a name and status %d", want.Status)
	}
	return nil
}

// stringMember returns a member of a JSON object that is a string.
func stringMember(body []byte, name string) (string, bool) {
	var members map[string]json.RawMessage
	var s string
	if json.Unmarshal(body, &members) != nil || json.Unmarshal(members[name], &s) != nil {
		return "", false
	}
	return s, true
}
