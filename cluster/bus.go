// Package cluster makes several processes, the nodes, one service. The database decides
// everything; nodes tell each other what is new over a Bus, so that it is known at once.
package cluster

import (
	"context"
	"errors"
)

// Bus carries messages between the nodes of one deployment. It may lose, repeat, delay and
// reorder them: nothing that must hold rests on it. Subjects are words with dots between
// them; those of different deployments never meet. Its methods may be called by many
// goroutines.
type Bus interface {
	// Publish sends data to the subscribers of subject on all nodes, this one too. It does not
	// wait for them, and says nothing if there are none or the bus is down. data is not kept.
	Publish(subject string, data []byte)

	// Subscribe calls got with each message on subject, one after the other. The word * in a
	// subject stands for any one word, and > at its end for one or more. Of the subscriptions with
	// the same queue that is not empty, on all nodes, one gets each message. got must be
	// quick; what waits for it beyond a bound is lost, and Lost says so. The data is valid during
	// the call only. Calling stop ends it; a call of got may still be under way then.
	Subscribe(subject, queue string, got func(m Delivered)) (stop func())

	// Ask sends data to the subscribers of subject and returns the first answer. It fails with
	// ErrNobody if there are none, as far as the bus knows, with ErrDown if the bus is down, and
	// as ctx does.
	Ask(ctx context.Context, subject string, data []byte) ([]byte, error)

	// Flush returns when what this node has subscribed to so far is known to the others, as far
	// as the bus can tell. It fails with ErrDown, or as ctx does.
	Flush(ctx context.Context) error

	// Up reports whether the bus is reached now.
	Up() bool

	// Lost calls tell whenever messages to this node may have been lost, as far as the bus
	// can tell: when it is reached again, and when a subscription was too slow. One call may stand for many
	// messages. tell must be quick. Calling stop ends it.
	Lost(tell func()) (stop func())
}

// Errors of a Bus.
var (
	ErrNobody = errors.New("cluster: nobody listens on the bus")
	ErrDown   = errors.New("cluster: the bus cannot be reached")
)

// Delivered is one message.
type Delivered struct {
	Subject string
	Data    []byte
	Answer  func([]byte) // sends an answer; nil if the sender expects none
}
