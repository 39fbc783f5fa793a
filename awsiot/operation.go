package awsiot

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/internal/jsontext"
	"github.com/muster-iot/muster/limits"
)

// operation is a row of the table: an operation of the API, and the function that
// serves it.
type operation struct {
	*wire.Operation
	run      func(ctx context.Context, c *call) (body []byte, err error) // nil: a data plane serves it
	throttle *limits.Throttle                                            // nil: no limit
}

// input is a pointer to an input shape T.
type input[T any] interface {
	*T
	wire.Input
}

// answer makes a row for an operation with an output. The caller needs permission
// for what the labels of the path name, and for what also returns.
func answer[I input[T], O wire.Output, T any](op *wire.Operation, handle func(context.Context, I) (O, error), also ...func(I) needs) operation {
	return operation{Operation: op, run: func(ctx context.Context, c *call) ([]byte, error) {
		in, err := accept(c, also)
		if err != nil {
			return nil, err
		}
		out, err := handle(ctx, in)
		if err != nil {
			return nil, err
		}
		return out.AppendJSON(nil), nil
	}}
}

// perform makes a row for an operation whose success is an empty body.
func perform[I input[T], T any](op *wire.Operation, handle func(context.Context, I) error, also ...func(I) needs) operation {
	return finish(op, nil, handle, also)
}

// confirm makes a row for an operation whose output has no members: {}
// (registry.md REG-2).
func confirm[I input[T], T any](op *wire.Operation, handle func(context.Context, I) error, also ...func(I) needs) operation {
	return finish(op, []byte("{}"), handle, also)
}

// finish makes a row for an operation whose success is always the same body.
func finish[I input[T], T any](op *wire.Operation, body []byte, handle func(context.Context, I) error, also []func(I) needs) operation {
	return operation{Operation: op, run: func(ctx context.Context, c *call) ([]byte, error) {
		in, err := accept(c, also)
		if err != nil {
			return nil, err
		}
		return body, handle(ctx, in)
	}}
}

// handOver makes a row for an operation that Options.DataPlane or Messages
// serves.
func handOver(op *wire.Operation) operation { return operation{Operation: op} }

// accept decodes and validates the input of a call, and then checks whether the
// caller has the permissions and the disk has the room for it.
func accept[I input[T], T any](c *call, also []func(I) needs) (I, error) {
	in := I(new(T))
	if c.operation.BodyMax > 0 {
		if name, found := jsontext.DuplicateName(c.request.Body); found {
			return nil, muster.Errorf(muster.Invalid, "The request body has the key %.200q twice in one object", name)
		}
	}
	if err := in.Decode(&c.request); err != nil {
		return nil, err
	}
	n := c.needs()
	for _, needsOf := range also {
		n = n.and(needsOf(in))
	}
	if err := c.authorize(n); err != nil {
		return in, err
	}
	return in, c.room(c.operation)
}
