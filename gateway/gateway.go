// Package gateway is Muster's device gateway: an MQTT 3.1.1 and MQTT 5 server for the profile of mqtt-broker.md
// (QoS 0 and 1, persistent sessions, wills, shared subscriptions, reserved topics answered directly).
//
// It deals with connections, sessions, subscriptions and messages, and asks small interfaces for everything else: who may
// do what (Authorizer), what a reserved topic means (Reserved) and where sessions are kept (SessionStore). It does not
// know jobs, policy documents, HTTP routes or databases.
package gateway

import (
	"context"
	"errors"
	"time"
)

// ErrRefused is what an Authorizer or Grant wraps when the answer is "not permitted". From Authorizer.Connect any
// other error means that the question could not be answered: the client is told "server unavailable" instead of "not
// authorised". Either way it does not get in.
var ErrRefused = errors.New("not authorised")

// Peer is what is known of the client before the first MQTT byte is read.
type Peer struct {
	Addr        string    // remote "host:port"
	Transport   string    // "tcp", "tls" or "wss"; for the log
	ServerName  string    // TLS server name the client asked for; may be empty
	Certificate []byte    // DER of the client's leaf certificate; nil without one. Possession is proven, nothing else
	Principal   string    // who it was authenticated as already (an access key, say); empty when unknown
	Until       time.Time // when the connection must end whatever happens (MQ-64); zero for never
}

// Connect is a client's request to connect: its CONNECT packet and its Peer.
type Connect struct {
	ClientID string // 1-128 bytes; made by the server when the client sent none (MQ-5)
	Version  byte   // 4 for MQTT 3.1.1, 5 for MQTT 5
	Peer     Peer
	Username string        // metrics of AWS SDKs, never a credential (MQ-3)
	Clean    bool          // clean session (3.1.1) or clean start (5)
	Expiry   time.Duration // how long the session is to live after the connection; 0 for not at all
	Will     *Will         // nil without one; its topic is asked of Grant.Publish by the gateway
}

// Will is the message a client leaves to be published when it is lost (MQ-62).
type Will struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

// Authorizer decides who may connect. It is asked before a connected client of the same id is disturbed (MQ-6).
type Authorizer interface {
	// Connect returns what the connection may do, or an error wrapping ErrRefused. It may block until ctx ends and is
	// called from many goroutines at once.
	Connect(ctx context.Context, c Connect) (Grant, error)
}

// Grant is what one connection may do (identity-and-auth.md section B.4). Its methods are asked for each packet and
// each delivery, from many goroutines at once and under a lock of the session: they must be cheap, must not block and
// must not call back into the gateway. Answers may change with time; the gateway caches none.
type Grant interface {
	// Principal is the stable name of the identity; sessions are bound to it. Never empty.
	Principal() string
	// Publish answers for iot:Publish on topic, and for iot:RetainPublish when retain is set. Nil means yes.
	Publish(topic string, retain bool) error
	// Subscribe answers for iot:Subscribe on the filter as literal text, "$share/<name>/" included if there is one.
	Subscribe(filter string) error
	// Receive answers for iot:Receive on topic.
	Receive(topic string) bool
}

// Bounded is a Grant whose connection must end some time: when a certificate expires, say.
type Bounded interface {
	Grant
	// Until returns the instant from which there must be no connection any more; zero for never, one in the past when all
	// rights are lost. It is asked when the connection is about to begin, right after, and by DisconnectOver: to make it a
	// past instant and then call DisconnectPrincipal or DisconnectOver leaves no connection that began before.
	Until() time.Time
}

// Use says what clients may do with a reserved topic by publishing to it.
type Use byte

// The uses of a reserved topic.
const (
	Forbidden Use = iota // refused like a publish that policy denies (MQ-28)
	Ignored              // acknowledged, then dropped: a reply topic (MQ-71)
	Served               // a request, handed to Reserved.Request
	Unserved             // a request to a feature that is not there: Reserved.Request says so (MQ-71)
)

// Reserved serves the topics that begin with "$". Both methods are asked after topic aliases are resolved; Request also
// after the publish was authorised. A publish to a reserved topic never reaches a subscriber.
type Reserved interface {
	// Use must be pure and quick. It is called from many goroutines at once.
	Use(topic string) Use
	// Request handles one request. Requests of one connection come one at a time in order of arrival, those of different
	// connections at once. It may block: only the requesting connection waits. reply may be called any number of
	// times, from any goroutine, before or after Request returns. It sends to the requesting connection and no other,
	// exactly one copy, whether or not it has subscribed (MQ-73, MQ-74), and drops the reply when that connection is
	// gone (MQ-75). The payload given to reply belongs to the gateway from then on.
	//
	// The PUBACK of a QoS 1 request follows when Request returns, in the same write as the replies made until then.
	Request(r Request, reply func(topic string, payload []byte))
}

// Request is one publish to a reserved topic.
type Request struct {
	Topic    string
	Payload  []byte // the callee may keep it
	ClientID string
	Grant    Grant // of the requesting connection, as its Authorizer made it
}

// Message is what Server.Publish sends to subscribers.
type Message struct {
	Topic      string
	Payload    []byte // belongs to the gateway from then on
	QoS        byte   // 0 or 1
	Retain     bool
	Expiry     time.Duration // how long it may be delivered; 0 for without limit
	Latest     bool          // a client that is away will want only the newest on this topic (MQ-55)
	Properties []byte        // MQTT 5 properties to forward, encoded; see packet.Properties
}
