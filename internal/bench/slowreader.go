package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// What a client that reads slowly is sent at once: more than its connection takes.
const (
	slowMessages = 2000
	slowPayload  = 1500 // bytes
)

// slowReader measures what others notice of a client that reads a byte a second: how long a
// message to all takes before it comes, while it is there with much to read, and after it has
// gone.
func (b *bench) slowReader(ctx context.Context) ([]figure, error) {
	f, s, err := b.serveFleet(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	at := s.endpoint(f, false)
	others, err := at.gatherAudience(ctx, b.bystanders)
	if err != nil {
		return nil, err
	}
	defer others.close()
	before, err := others.tell(b.publishes)
	if err != nil {
		return nil, err
	}
	held := s.resident()
	slow, err := at.readSlowly(ctx)
	if err != nil {
		return nil, err
	}
	defer slow.Close()
	for range slowMessages {
		if err := others.publisher.send(&packet.Publish{Topic: slowTopic, Payload: make([]byte, slowPayload)}); err != nil {
			return nil, err
		}
	}
	beside, err := others.tell(b.publishes)
	if err != nil {
		return nil, err
	}
	held = s.resident() - held
	slow.Close()
	after, err := others.tell(b.publishes)
	if err != nil {
		return nil, err
	}
	without := append(before, after...)
	b.progress("a byte a second: others %s, %s without it", millis(beside.at(0.5)), millis(without.at(0.5)))
	return []figure{
		{
			name: fmt.Sprintf("a message to %s clients over TCP, beside one that reads a byte a second and has %s messages to read: until the last has it, p50 / longest",
				count(b.bystanders), count(slowMessages)),
			value:  fmt.Sprintf("%s / %s", millis(beside.at(0.5)), millis(beside.at(1))),
			beside: fmt.Sprintf("without it %s / %s", millis(without.at(0.5)), millis(without.at(1))),
			ratio:  times(beside.at(0.5).Seconds(), without.at(0.5).Seconds()), aim: "nobody waits for it",
		},
		{name: "… resident memory that the server took meanwhile", value: kilobytes(held, 1), beside: "it was sent " + kilobytes(slowMessages*slowPayload, 1)},
	}, nil
}

const slowTopic = "bench/slow"

// readSlowly connects a client that listens to all and to slowTopic, and reads a byte a
// second until it is closed.
func (e endpoint) readSlowly(ctx context.Context) (*client, error) {
	c, _, err := e.connect(ctx, 0, "slow", true)
	if err != nil {
		return nil, err
	}
	if err := c.subscribe(0, audienceTopic, slowTopic); err != nil {
		c.Close()
		return nil, err
	}
	_ = c.Conn.(*net.TCPConn).SetReadBuffer(readBuffer) // a larger one only lets the server write more
	go func() {
		for one := make([]byte, 1); ; time.Sleep(time.Second) {
			if _, err := c.Read(one); err != nil {
				return
			}
		}
	}()
	return c, nil
}
