package device

import (
	"context"
	"encoding/json"
	"iter"
	"reflect"
)

// Watch yields what is pending now, and again when executions enter or leave the
// list. States that the loop is too slow for are skipped; the newest is always
// yielded. It ends when ctx ends, without an error, or after yielding a final
// refusal.
func (c *Client) Watch(ctx context.Context) iter.Seq2[Pending, error] {
	return watch(ctx, c, c.Pending, func(n notified) heard { return n.list }, decodeList)
}

// WatchHead is Watch for the execution that comes first, nil for none.
func (c *Client) WatchHead(ctx context.Context) iter.Seq2[*Execution, error] {
	return watch(ctx, c, c.Head, func(n notified) heard { return n.head }, decodeHead)
}

// watch asks for a state, then follows the messages about it, and asks again
// when some may have been missed.
func watch[T any](ctx context.Context, c *Client, ask func(context.Context) (T, error),
	pick func(notified) heard, decode func([]byte) (T, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		now := c.wire.notified()
		state, err := ask(ctx)
		for ctx.Err() == nil && yield(state, err) && err == nil {
			for shown := state; err == nil && reflect.DeepEqual(state, shown); {
				since := now
				if now, err = c.wire.await(ctx, since); err != nil {
					break
				}
				if now.epoch != since.epoch {
					state, err = ask(ctx)
				} else if m := pick(now); m.count != pick(since).count {
					state, err = decode(m.payload)
				}
			}
		}
	}
}

// decodeList reads the payload of a notify message.
func decodeList(payload []byte) (Pending, error) {
	var m struct {
		Jobs struct {
			InProgress []Summary `json:"IN_PROGRESS"`
			Queued     []Summary `json:"QUEUED"`
		} `json:"jobs"`
	}
	err := json.Unmarshal(payload, &m)
	return Pending{InProgress: m.Jobs.InProgress, Queued: m.Jobs.Queued}, err
}

// decodeHead reads the payload of a notify-next message.
func decodeHead(payload []byte) (*Execution, error) {
	var a answer
	err := json.Unmarshal(payload, &a)
	return a.Execution, err
}
