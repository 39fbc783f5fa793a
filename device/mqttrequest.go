package device

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/eclipse/paho.golang/paho"
)

var errNoAnswer = errors.New("device: no answer in time")

var errLost = errors.New("device: the connection was lost")

// notAuthorized is the MQTT 5 reason of a publish that policy denies.
const notAuthorized = 0x87

func (w *mqttWire) do(ctx context.Context, r request) ([]byte, error) {
	if err := w.awaitUp(ctx); err != nil {
		return nil, err
	}
	r.body.ClientToken = rand.Text()
	payload, err := json.Marshal(r.body)
	if err != nil {
		return nil, err
	}
	answered := make(chan mqttReply, 1)
	w.mu.Lock()
	w.waiting[r.body.ClientToken] = answered
	down := w.down
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting, r.body.ClientToken)
	}()

	timeout, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	response, err := w.connection.Publish(timeout, &paho.Publish{Topic: w.topics.request(r.op, r.job), QoS: 1, Payload: payload})
	if response != nil && response.ReasonCode == notAuthorized {
		return nil, &Error{Code: Unauthorized, Message: "the service does not permit this request"}
	}
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	select {
	case reply := <-answered:
		return reply.result()
	case <-down:
		return nil, errLost
	case <-w.closed:
		return nil, errClosed
	case <-timeout.Done():
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errNoAnswer
	}
}

func (r mqttReply) result() ([]byte, error) {
	if r.accepted {
		return r.payload, nil
	}
	var m struct {
		Code    Code   `json:"code"`
		Message string `json:"message"`
		State   *State `json:"executionState"`
	}
	if err := json.Unmarshal(r.payload, &m); err != nil {
		return nil, fmt.Errorf("device: a refusal cannot be read: %w", err)
	}
	return nil, &Error{m.Code, m.Message, m.State}
}

// mqttReply is the answer to a request.
type mqttReply struct {
	accepted bool
	payload  []byte
}

// reply passes a reply to the request with the same clientToken: nothing else
// identifies the request.
func (w *mqttWire) reply(r mqttReply) {
	var m struct {
		ClientToken string `json:"clientToken"`
	}
	if json.Unmarshal(r.payload, &m) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ch, ok := w.waiting[m.ClientToken]; ok {
		delete(w.waiting, m.ClientToken)
		ch <- r
	}
}
