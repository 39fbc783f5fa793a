package wire

// Fault says how an input is wrong.
type Fault uint8

// The faults of an input. Over HTTPS each is the operation's modeled error for
// bad input; over MQTT NotJSON is InvalidJson and the others InvalidRequest
// (jobs-data-plane.md section 8).
const (
	NotJSON   Fault = iota // the body is not UTF-8 JSON, or not an object
	WrongType              // a member has the wrong JSON type or cannot be parsed
	Violation              // a constraint of the model is violated
)

// InputError is the error of every Decode and Validate. Its message names the
// member at fault and is safe to show the caller.
type InputError struct {
	Fault   Fault
	Message string
}

func (e *InputError) Error() string { return e.Message }
