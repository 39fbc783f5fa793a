package authz

import (
	"errors"
	"time"

	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/iotpolicy"
)

// anonymous is the grant of a connection without identity: all is allowed.
type anonymous struct{}

func (anonymous) Principal() string          { return "anonymous" }
func (anonymous) Publish(string, bool) error { return nil }
func (anonymous) Subscribe(string) error     { return nil }
func (anonymous) Receive(string) bool        { return true }

// keyHolder is the grant of a WebSocket client that connected with an access
// key. It follows every change of the key's policies.
type keyHolder struct {
	a                 *Authorizer
	caller            identity.Caller
	clientID, address string
}

var _ gateway.Bounded = keyHolder{}

func (k keyHolder) Principal() string { return k.caller.ARN }

// Until is in the past once the key is removed, and zero before.
func (k keyHolder) Until() time.Time {
	if k.caller.Life().Err() != nil {
		return time.Unix(0, 0)
	}
	return time.Time{}
}

func (k keyHolder) Publish(topic string, retain bool) error {
	if err := k.may(iotpolicy.Publish, "topic/"+topic); err != nil || !retain {
		return err
	}
	return k.may(iotpolicy.RetainPublish, "topic/"+topic)
}

func (k keyHolder) Subscribe(filter string) error {
	return k.may(iotpolicy.Subscribe, "topicfilter/"+filter)
}

func (k keyHolder) Receive(topic string) bool {
	err := k.authorize(iotpolicy.Receive, "topic/"+topic)
	if denied, ok := errors.AsType[*identity.DeniedError](err); ok {
		k.a.o.Refused(k.refusal(iotpolicy.Receive, "topic/"+topic, denied))
	}
	return err == nil
}

func (k keyHolder) may(action, resource string) error {
	err := k.authorize(action, resource)
	if denied, ok := errors.AsType[*identity.DeniedError](err); ok {
		k.a.logRefused("caller refused", k.caller.ARN, "client", k.clientID,
			"action", action, "resource", denied.Resource, "decision", denied.Decision)
		return k.a.refuse(k.refusal(action, resource, denied))
	}
	return err
}

func (k keyHolder) authorize(action, resource string) error {
	return k.caller.Authorize(action, []string{k.a.o.Account.Named(resource)}, k.vars)
}

func (k keyHolder) refusal(action, resource string, denied *identity.DeniedError) Refusal {
	return Refusal{Principal: k.caller.ARN, Known: true, Active: true, ClientID: k.clientID, Action: action, Resource: resource, Decision: denied.Decision}
}

func (k keyHolder) vars(key string) ([]string, bool) {
	switch key {
	case iotpolicy.ClientID:
		return []string{k.clientID}, true
	case iotpolicy.SourceIP:
		return []string{k.address}, k.address != ""
	}
	return nil, false
}
