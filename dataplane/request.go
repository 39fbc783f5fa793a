package dataplane

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/internal/excerpt"
	"github.com/muster-iot/muster/internal/jsontext"
)

// request is one device request over either protocol. Fields that do not belong
// to its operation are zero.
type request struct {
	Topic
	token []byte // clientToken as written in JSON; nil when absent

	status          muster.Status
	details         map[string]string // nil when absent
	stepMinutes     int
	expectedVersion *int64
	number          *int64 // executionNumber
	withState       bool
	withDocument    bool
}

// read fills r in from a request body (jobs-data-plane.md section 2, C1, C2, C8,
// and section 6.4, steps 1 to 3). It fails with errNotJSON, errAmbiguous or an Invalid error.
// If the body is an object, r keeps its token even when read fails.
func (r *request) read(body []byte) error {
	var m fields
	fit := len(body) == 0 || checkObject(body)
	if fit && len(body) > 0 {
		m = readFields(body)
	}
	if isString(m.clientToken) {
		r.token = m.clientToken
	}
	if r.Kind == InvalidTopic {
		return errInvalidTopic
	}
	if !fit {
		return notJSON(body)
	}
	if name, found := jsontext.DuplicateName(body); found {
		return fmt.Errorf("%w: it has the key %q twice in one object", errAmbiguous, clip(name))
	}
	if err := r.checkNames(); err != nil {
		return err
	}
	if m.clientToken != nil && r.token == nil {
		return mistyped("clientToken", "a string")
	}
	return r.decode(m)
}

// Refusals of requests that cannot be understood.
var (
	errNotJSON      = errors.New("the request payload is not a JSON object in UTF-8")
	errAmbiguous    = errors.New("the request payload is ambiguous") // readers differ in what it says
	errInvalidTopic = errors.New("the topic names no operation")
)

// notJSON returns errNotJSON with the place of the error, if there is one.
func notJSON(body []byte) error {
	fault := jsontext.Fault(body)
	if fault == "" { // it is JSON, but not an object
		return errNotJSON
	}
	return fmt.Errorf("%w %s", errNotJSON, fault)
}

// fields are the known members of a body, as written in JSON; nil if absent or
// null.
type fields struct {
	clientToken, status, statusDetails, stepTimeoutInMinutes, expectedVersion,
	executionNumber, includeJobExecutionState, includeJobDocument []byte
}

func readFields(object []byte) fields {
	var m fields
	for name, value := range members(object) {
		if value[0] == 'n' {
			value = nil
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(`"` + unquote(name) + `"`)
		}
		switch string(name[1 : len(name)-1]) {
		case "clientToken":
			m.clientToken = value
		case "status":
			m.status = value
		case "statusDetails":
			m.statusDetails = value
		case "stepTimeoutInMinutes":
			m.stepTimeoutInMinutes = value
		case "expectedVersion":
			m.expectedVersion = value
		case "executionNumber":
			m.executionNumber = value
		case "includeJobExecutionState":
			m.includeJobExecutionState = value
		case "includeJobDocument":
			m.includeJobDocument = value
		}
	}
	return m
}

// decode reads the members that r's operation has.
func (r *request) decode(m fields) (err error) {
	switch r.Kind {
	case StartNext:
		if r.details, err = readDetails(m.statusDetails); err != nil {
			return err
		}
		r.stepMinutes, err = readStep(m.stepTimeoutInMinutes)
	case Describe:
		if r.number, err = readInteger("executionNumber", m.executionNumber); err != nil {
			return err
		}
		r.withDocument, err = readBoolean("includeJobDocument", m.includeJobDocument, true)
	case Update:
		err = r.decodeUpdate(m)
	}
	return err
}

func (r *request) decodeUpdate(m fields) (err error) {
	if r.status, err = readStatus(m.status); err != nil {
		return err
	}
	if r.details, err = readDetails(m.statusDetails); err != nil {
		return err
	}
	if r.stepMinutes, err = readStep(m.stepTimeoutInMinutes); err != nil {
		return err
	}
	if r.expectedVersion, err = readInteger("expectedVersion", m.expectedVersion); err != nil {
		return err
	}
	if r.number, err = readInteger("executionNumber", m.executionNumber); err != nil {
		return err
	}
	if r.withState, err = readBoolean("includeJobExecutionState", m.includeJobExecutionState, false); err != nil {
		return err
	}
	r.withDocument, err = readBoolean("includeJobDocument", m.includeJobDocument, false)
	return err
}

// checkNames judges the names that came in the topic or the path. Only Describe
// may say $next (jobs-data-plane.md section 3.5 and J13).
func (r *request) checkNames() error {
	if !muster.ValidThingName(string(r.Thing)) {
		return badName("thingName", string(r.Thing), muster.ThingNameMax, "[a-zA-Z0-9:_-]+")
	}
	hasJob := r.Kind == Update || r.Kind == Describe && r.Job != NextJob
	if hasJob && !muster.ValidJobID(string(r.Job)) {
		return badName("jobId", string(r.Job), muster.JobIDMax, "[a-zA-Z0-9_-]+")
	}
	return nil
}

func badName(field, value string, limit int, pattern string) error {
	if len(value) > limit {
		return violation(field, value, "Member must have length less than or equal to %d", limit)
	}
	return violation(field, value, "Member must satisfy regular expression pattern: %s", pattern)
}

func readStatus(text []byte) (muster.Status, error) {
	switch {
	case text == nil:
		return 0, muster.Errorf(muster.Invalid, "Value null at 'status' failed to satisfy constraint: Member must not be null")
	case !isString(text):
		return 0, mistyped("status", "a string")
	}
	word := unquote(text)
	status, ok := muster.ParseStatus(word)
	if !ok {
		return 0, violation("status", word, "Member must satisfy enum value set: %v", statusWords)
	}
	return status, nil
}

// statusWords lists the statuses as the contract writes an enumeration.
var statusWords = func() string {
	var words []string
	for _, s := range muster.Statuses() {
		words = append(words, s.String())
	}
	return "[" + strings.Join(words, ", ") + "]"
}()

// readDetails reads statusDetails. A number or a boolean is taken as its source
// text, since devices send them and AWS accepts them; null, objects and arrays
// are refused (jobs-data-plane.md J15). Jobs checks what a text may hold.
func readDetails(text []byte) (map[string]string, error) {
	if text == nil {
		return nil, nil
	}
	if text[0] != '{' {
		return nil, mistyped("statusDetails", "an object")
	}
	details := map[string]string{}
	for name, value := range members(text) {
		switch value[0] {
		case '"':
			details[unquote(name)] = unquote(value)
		case '{', '[', 'n':
			return nil, mistyped("statusDetails."+clip(unquote(name)), "a string, a number or a boolean")
		default:
			details[unquote(name)] = string(value)
		}
	}
	return details, nil
}

// maxStep is the longest step timer, in minutes.
const maxStep = 10080

func readStep(text []byte) (int, error) {
	n, err := readInteger("stepTimeoutInMinutes", text)
	switch {
	case err != nil || n == nil:
		return muster.NoStep, err
	case *n > maxStep:
		return 0, violation("stepTimeoutInMinutes", strconv.FormatInt(*n, 10), "Member must have value less than or equal to %d", maxStep)
	}
	return int(*n), muster.CheckStep(*n)
}

// readInteger reads an integer or a string that holds one.
func readInteger(field string, text []byte) (*int64, error) {
	if text == nil {
		return nil, nil
	}
	digits := text
	if isString(text) {
		digits = []byte(unquote(text))
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return nil, mistyped(field, "an integer of 64 bits")
	}
	return &n, nil
}

// readBoolean reads a boolean or a string that holds one.
func readBoolean(field string, text []byte, absent bool) (bool, error) {
	switch string(text) {
	case "":
		return absent, nil
	case "true", `"true"`:
		return true, nil
	case "false", `"false"`:
		return false, nil
	}
	return false, mistyped(field, "true or false")
}

func isString(text []byte) bool { return len(text) > 0 && text[0] == '"' }

func mistyped(field, want string) error {
	return muster.Errorf(muster.Invalid, "Value at '%s' must be %s", field, want)
}

// violation words a broken constraint as the contract's framework does
// (jobs-data-plane.md section 8).
func violation(field, value, constraint string, args ...any) error {
	return muster.Errorf(muster.Invalid, "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s",
		clip(value), field, fmt.Sprintf(constraint, args...))
}

// clipMax bounds how much of a request's own text an error message repeats.
const clipMax = 256

func clip(s string) string { return excerpt.Of(s, clipMax) }
