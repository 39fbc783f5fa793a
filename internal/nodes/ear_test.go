package nodes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// ear subscribes to the notifications of one thing, asks once after each connection, and believes what it is told from then on.
type ear struct {
	load  *load
	thing string

	mu     sync.Mutex // guards what follows
	last   head
	shown  map[headName]int64 // versions
	left   map[headName]bool  // was begun, and followed by another: it has ended
	faults []string
}

// head is the execution that comes first.
type head struct {
	JobID           string `json:"jobId"`
	ExecutionNumber int64  `json:"executionNumber"`
	VersionNumber   int64  `json:"versionNumber"`
}

type headName struct {
	job    string
	number int64
}

// none is that no execution is pending.
var none head

func newEar(l *load, thing string) *ear {
	return &ear{load: l, thing: thing, shown: map[headName]int64{}, left: map[headName]bool{}}
}

// listen connects again and again until ctx ends.
func (e *ear) listen(ctx context.Context) {
	for ctx.Err() == nil {
		e.connected(ctx)
		pause(ctx, 200*time.Millisecond)
	}
}

// connected serves one connection.
func (e *ear) connected(ctx context.Context) {
	conn, err := net.DialTimeout("tcp", e.load.mqtt.Address(), 3*time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	over, end := context.WithCancel(ctx)
	defer end()
	topic := func(name string) string { return "$aws/things/" + e.thing + "/jobs/" + name }
	c := paho.NewClient(paho.ClientConfig{
		Conn: conn, PacketTimeout: 3 * time.Second,
		OnClientError: func(error) { end() }, OnServerDisconnect: func(*paho.Disconnect) { end() },
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			e.hear(p.Packet.Topic != topic("notify-next"), p.Packet.Payload)
			return true, nil
		}},
	})
	soon, cancel := context.WithTimeout(over, 5*time.Second)
	defer cancel()
	if _, err := c.Connect(soon, &paho.Connect{ClientID: "ear-" + e.thing, CleanStart: true, KeepAlive: 30}); err != nil {
		return
	}
	defer func() { _ = c.Disconnect(&paho.Disconnect{}) }() // the connection may have ended
	subscriptions := []paho.SubscribeOptions{{Topic: topic("notify-next"), QoS: 1}, {Topic: topic("$next/get/accepted"), QoS: 1}}
	if _, err := c.Subscribe(soon, &paho.Subscribe{Subscriptions: subscriptions}); err != nil {
		return
	}
	if _, err := c.Publish(soon, &paho.Publish{Topic: topic("$next/get"), QoS: 1, Payload: []byte("{}")}); err != nil {
		return
	}
	<-over.Done()
}

// hear takes a message: a notification, or the answer to a question. They may pass each other, so an answer is believed only if it is not
// older than what was heard.
func (e *ear) hear(answer bool, payload []byte) {
	var m struct{ Execution *head }
	_ = json.Unmarshal(payload, &m) // then there is none
	now := none
	if m.Execution != nil {
		now = *m.Execution
	}
	name := headName{now.JobID, now.ExecutionNumber}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := now != none && (now.VersionNumber < e.shown[name] || e.left[name])
	if answer && old {
		return
	}
	if old {
		e.faults = append(e.faults, fmt.Sprintf("the subscriber of %s was told of %v after version %d of it, followed by another: %v", e.thing, now, e.shown[name], e.left[name]))
	}
	if before := (headName{e.last.JobID, e.last.ExecutionNumber}); e.last.VersionNumber > 1 && before != name { // one that waits may be passed by one that was queued before it and stored after it
		e.left[before] = true
	}
	e.shown[name] = now.VersionNumber
	e.last = now
}

// heard returns what was heard last, and what was wrong since the last call.
func (e *ear) heard() (head, []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	faults := e.faults
	e.faults = nil
	return e.last, faults
}
