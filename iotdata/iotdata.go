// Package iotdata is Publish over HTTPS and its companions: retained messages
// and the end of a connection (mqtt-broker.md section 11). Each request is one
// call of the device gateway. It also serves the one shadow that Muster has. It
// keeps no message and does not authenticate callers.
package iotdata

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/awsiot/route"
	"github.com/muster-iot/muster/awsiot/wire"
	"github.com/muster-iot/muster/gateway"
	"github.com/muster-iot/muster/identity"
	"github.com/muster-iot/muster/internal/respond"
)

// Broker carries the messages; *gateway.Server is one.
type Broker interface {
	PublishAs(ctx context.Context, g gateway.Grant, m gateway.Message) error
	Retained(topic string) (gateway.Retained, bool)
	RetainedAfter(after string, limit int) []gateway.Retained
	DisconnectClient(ctx context.Context, client string, withWill, dropSession bool) (found bool, err error)
}

// Options are the parts of a Service. Broker, Account and Now are required.
type Options struct {
	Broker  Broker
	Account muster.Account
	// Inventory returns the packages that a thing carries, or fails with
	// NotFound. Nil: no thing carries any.
	Inventory func(ctx context.Context, thing muster.ThingName) (muster.Inventory, error)
	Now       func() time.Time // for the durations of Observe
	// Observe is called after each request with its operation, and "ok" or the
	// type of the error. Nil is allowed.
	Observe func(operation, code string, took time.Duration)
	Log     *slog.Logger // nil discards
}

// Service serves the operations of the API named iot-data that are about
// messages. Its methods may be called from many goroutines.
type Service struct {
	o      Options
	router *route.Router
	serve  map[*wire.Operation]func(*Service, context.Context, *call) ([]byte, error)
}

// New returns a service on o.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	s := &Service{o: o, serve: map[*wire.Operation]func(*Service, context.Context, *call) ([]byte, error){
		wire.Publish:              (*Service).publish,
		wire.GetRetainedMessage:   (*Service).retained,
		wire.ListRetainedMessages: (*Service).listRetained,
		wire.DeleteConnection:     (*Service).deleteConnection,
		wire.GetThingShadow:       (*Service).shadow,
	}}
	s.router = route.New(Operations())
	return s
}

// Operations returns the operations that a Service serves.
func Operations() []*wire.Operation {
	return []*wire.Operation{wire.DeleteConnection, wire.GetRetainedMessage, wire.GetThingShadow, wire.ListRetainedMessages, wire.Publish}
}

// call is one request of a known caller.
type call struct {
	sender  sender
	request wire.Request
	trace   string // the request's id
}

// ServeCaller answers a request that the holder of an access key sent. The
// answer already has its X-Amzn-RequestId.
func (s *Service) ServeCaller(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
	s.answer(w, r, sender{caller.ARN, func(action, resource string) error {
		if resource != "*" {
			resource = s.o.Account.Named(resource)
		}
		return caller.Authorize(action, []string{resource}, identity.From(r.RemoteAddr))
	}})
}

func (s *Service) answer(w http.ResponseWriter, r *http.Request, from sender) {
	began := s.o.Now()
	operation, code := "unknown", "ok"
	body, err := func() ([]byte, error) {
		m, err := s.router.Match("", r.Method, r.URL.EscapedPath())
		if err != nil {
			return nil, err
		}
		operation = m.Operation.Name
		payload, err := readBody(w, r)
		if err != nil {
			return nil, err
		}
		c := &call{sender: from, trace: w.Header().Get("X-Amzn-RequestId")}
		c.request = wire.Request{Labels: m.Labels, Query: r.URL.Query(), Header: r.Header, Body: payload}
		return s.serve[m.Operation](s, r.Context(), c)
	}()
	if err != nil {
		f := failureOf(err)
		code = f.name
		s.log(operation, from, f, err)
		f.write(w)
	} else {
		respond.JSON(w, http.StatusOK, body)
	}
	s.o.Observe(operation, code, s.o.Now().Sub(began))
}

func (s *Service) log(operation string, from sender, f failure, err error) {
	level := slog.LevelDebug
	if f.status >= http.StatusInternalServerError && f.status != http.StatusNotImplemented {
		level = slog.LevelError
	}
	s.o.Log.Log(context.Background(), level, "request refused", "operation", operation, "sender", from.name, "code", f.name, "error", err)
}

// sender is who sent a request, and what they may do: resource is such as
// "topic/lamp/on", or "*". It is the gateway.Grant of a publish.
type sender struct {
	name string
	may  func(action, resource string) error
}

var _ gateway.Grant = sender{}

// Principal implements gateway.Grant.
func (s sender) Principal() string { return s.name }

// Publish implements gateway.Grant.
func (s sender) Publish(topic string, retain bool) error {
	if err := s.may("iot:Publish", "topic/"+topic); err != nil || !retain {
		return err
	}
	return s.may("iot:RetainPublish", "topic/"+topic)
}

// Subscribe implements gateway.Grant: there is no connection to subscribe.
func (s sender) Subscribe(string) error { return errNoConnection }

// Receive implements gateway.Grant: there is no connection to receive.
func (s sender) Receive(string) bool { return false }

var errNoConnection = errors.New("an HTTPS request receives no messages")
