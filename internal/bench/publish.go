package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// publish measures messages between clients, on Muster and on mosquitto.
func (b *bench) publish(ctx context.Context) ([]figure, error) {
	f, s, err := b.serveFleet(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	ours, err := b.publishing(ctx, s.process, s.endpoint(f, false))
	if err != nil {
		return nil, err
	}
	m, err := b.startMosquitto(ctx, f)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return b.publishFigures(ours, nil), nil
	}
	defer m.stop()
	theirs, err := b.publishing(ctx, m.process, m.plain)
	return b.publishFigures(ours, &theirs), err
}

// published is what messages cost.
type published struct {
	each     latencies     // of a message, until the last subscriber had it
	cpu      time.Duration // of all deliveries
	burst    time.Duration // from the first message sent to the last received
	received int           // of the burst, in order
}

func (b *bench) publishing(ctx context.Context, p *process, at endpoint) (published, error) {
	result, err := b.publishToAll(ctx, p, at)
	if err != nil {
		return result, err
	}
	result.burst, result.received, err = b.publishBurst(ctx, at)
	b.progress("%d subscribers after %s, a burst of %d after %s", b.subscribers, millis(result.each.at(0.5)), result.received, millis(result.burst))
	return result, err
}

func (b *bench) publishFigures(ours published, theirs *published) []figure {
	fan := figure{
		name:  fmt.Sprintf("a publish to %s subscribers, until the last has it, p50", count(b.subscribers)),
		value: millis(ours.each.at(0.5)), beside: noMosquitto,
	}
	cpu := figure{name: "… server's processor time of a delivery", value: micros(ours.cpu, b.publishes*b.subscribers)}
	burst := figure{
		name:  fmt.Sprintf("a QoS 1 burst of %s messages to one reading client", count(b.burst)),
		value: fmt.Sprintf("%s received, in order, in %s", count(ours.received), millis(ours.burst)), aim: "all, in order",
	}
	if theirs != nil {
		fan.beside, fan.ratio = "mosquitto "+millis(theirs.each.at(0.5)), times(ours.each.at(0.5).Seconds(), theirs.each.at(0.5).Seconds())
		cpu.beside, cpu.ratio = "mosquitto "+micros(theirs.cpu, b.publishes*b.subscribers), times(ours.cpu.Seconds(), theirs.cpu.Seconds())
		burst.beside, burst.ratio = fmt.Sprintf("mosquitto %s in %s", count(theirs.received), millis(theirs.burst)), times(ours.burst.Seconds(), theirs.burst.Seconds())
	}
	return []figure{fan, cpu, burst}
}

// messageBytes is the size of the payload of a message.
const messageBytes = 100

// publishToAll sends one message after the other to all subscribers.
func (b *bench) publishToAll(ctx context.Context, p *process, at endpoint) (published, error) {
	var result published
	all, err := at.gatherAudience(ctx, b.subscribers)
	if err != nil {
		return result, err
	}
	defer all.close()
	cpu := p.cpu()
	result.each, err = all.tell(b.publishes)
	result.cpu = p.cpu() - cpu
	return result, err
}

// audience is clients that read what one publisher tells all of them.
type audience struct {
	crowd
	publisher *client
	heard     atomic.Int64  // messages, by all of them
	delivered chan struct{} // has a token for each message that all have heard
}

const audienceTopic = "bench/all"

func (e endpoint) gatherAudience(ctx context.Context, n int) (*audience, error) {
	a := &audience{delivered: make(chan struct{}, 1)}
	name := func(i int) string { return fmt.Sprintf("subscriber-%d", i) }
	var err error
	if a.crowd, err = e.gather(ctx, n, name, func(c *client, _ int) error { return c.subscribe(0, audienceTopic) }); err != nil {
		return nil, err
	}
	if a.publisher, _, err = e.connect(ctx, 0, "publisher", true); err != nil {
		a.crowd.close()
		return nil, err
	}
	for _, c := range a.crowd {
		go func() { // until it is closed
			for {
				if _, err := c.next(); err != nil {
					return
				}
				if a.heard.Add(1)%int64(n) == 0 {
					a.delivered <- struct{}{}
				}
			}
		}()
	}
	return a, nil
}

// tell sends n messages, each once all have heard the one before, and returns how long each took.
func (a *audience) tell(n int) (latencies, error) {
	var each latencies
	for range n {
		began := time.Now()
		if err := a.publisher.send(&packet.Publish{Topic: audienceTopic, Payload: make([]byte, messageBytes)}); err != nil {
			return each, err
		}
		select {
		case <-a.delivered:
			each = append(each, time.Since(began))
		case <-time.After(patience):
			return each, fmt.Errorf("a message was not heard by all of %d", len(a.crowd))
		}
	}
	return each, nil
}

func (a *audience) close() {
	a.crowd.close()
	a.publisher.Close()
}

// inFlight is how many QoS 1 messages a client has under way at once.
const inFlight = 100

// publishBurst sends numbered messages as fast as acknowledgements come, and
// returns how many arrived in order, and after how long.
func (b *bench) publishBurst(ctx context.Context, at endpoint) (time.Duration, int, error) {
	const topic = "bench/burst"
	reader, _, err := at.connect(ctx, 0, "reader", true)
	if err != nil {
		return 0, 0, err
	}
	defer reader.Close()
	if err := reader.subscribe(1, topic); err != nil {
		return 0, 0, err
	}
	sender, _, err := at.connect(ctx, 1, "sender", true)
	if err != nil {
		return 0, 0, err
	}
	defer sender.Close()
	reader.SetDeadline(time.Now().Add(patience))
	sender.SetDeadline(time.Now().Add(patience))
	began, sent := time.Now(), make(chan error, 1)
	go func() { sent <- sendBurst(sender, topic, b.burst) }()
	received, err := readBurst(reader, b.burst)
	took := time.Since(began)
	if err != nil {
		sender.Close() // so that it ends
	}
	return took, received, errors.Join(err, <-sent)
}

func sendBurst(c *client, topic string, n int) error {
	var running sync.WaitGroup
	defer running.Wait()
	window := make(chan struct{}, inFlight)
	failed := make(chan error, 1)
	running.Go(func() {
		for range n {
			if _, err := c.next(); err != nil { // an acknowledgement
				failed <- err
				return
			}
			<-window
		}
	})
	for i := range n {
		select {
		case window <- struct{}{}:
		case err := <-failed:
			return err
		}
		payload := binary.BigEndian.AppendUint32(make([]byte, 0, messageBytes), uint32(i))
		if err := c.send(&packet.Publish{Topic: topic, Payload: payload[:messageBytes], QoS: 1, ID: uint16(i%60_000 + 1)}); err != nil {
			return err
		}
	}
	return nil
}

// readBurst reads and acknowledges n messages, which must come in order.
func readBurst(c *client, n int) (int, error) {
	for want := range n {
		f, err := c.next()
		if err != nil {
			return want, fmt.Errorf("message %d of %d: %w", want, n, err)
		}
		p, err := packet.ParsePublish(f, packet.V311)
		if err != nil {
			return want, err
		}
		if got := binary.BigEndian.Uint32(p.Payload); got != uint32(want) {
			return want, fmt.Errorf("message %d came where %d was due", got, want)
		}
		if err := c.send(&packet.Puback{ID: p.ID}); err != nil {
			return want, err
		}
	}
	return n, nil
}
