package wire

// Service is one of the three models that an operation can belong to.
type Service string

// The services of the API, by the signing names their clients use.
const (
	ControlPlane Service = "iot"
	JobsData     Service = "iot-jobs-data"
	IoTData      Service = "iotdata"
)

// Operation is one operation of the API. The package has all operations of the
// models; Shaped tells for which of them it has shapes.
type Operation struct {
	Name     string
	Service  Service
	Method   string
	Path     string    // the template, as the model has it
	Segments []Segment // of Path, split at slashes
	Query    []Binding // members bound to query parameters
	Header   []Binding // members bound to headers
	Errors   []*ErrorShape
	BodyMax  int  // bytes of the longest body that the model allows, without white space, at most MaxBody; 0: the operation has no body
	Shaped   bool // this package has types for its input and output
}

// Segment is one segment of a path template: a literal or a label.
type Segment struct {
	Literal string
	Label   string // if not empty, the segment may have any value, decoded once
	Greedy  bool   // the label takes the rest of the path
}

// Binding ties a member of an input to the name of a parameter.
type Binding struct {
	Member, Name string
}

// ErrorShape is an error as one service models it. The same name can have another
// status in another service.
type ErrorShape struct {
	Name   string
	Status int // HTTP
}

// Operations returns all operations of all services, ordered by service and
// name. The caller owns the slice; the operations are shared and never change.
func Operations() []*Operation {
	return append([]*Operation(nil), operations...)
}

// bodySlack is how many bytes a body may have in addition to those that the model
// allows, for white space and unknown members.
const bodySlack = 4 << 10

// BodyLimit returns how many bytes the body of o may have, at most MaxBody. A longer
// one cannot be a valid input.
func (o *Operation) BodyLimit() int { return min(o.BodyMax+bodySlack, MaxBody) }

// Error returns the error shape with that name if o models one.
func (o *Operation) Error(name string) (*ErrorShape, bool) {
	for _, e := range o.Errors {
		if e.Name == name {
			return e, true
		}
	}
	return nil, false
}

// BadInput returns the error that o models for an input that cannot be decoded:
// InvalidRequestException, or ValidationException in newer operations. It is nil for
// the few operations that model neither.
func (o *Operation) BadInput() *ErrorShape {
	for _, name := range []string{"InvalidRequestException", "ValidationException"} {
		if e, ok := o.Error(name); ok {
			return e
		}
	}
	return nil
}
