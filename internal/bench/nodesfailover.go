package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// nodesFailover measures how soon the devices of a node that is killed are served by others, beside
// the same devices when they move by themselves, and how soon its leases are taken. The
// devices come over TCP, since their handshakes would otherwise take longer than all else.
func nodesFailover(ctx context.Context, b *bench) (figures []figure, err error) {
	d, err := b.deploy(ctx, filepath.Join(b.dir, "failover"), 3, func(w *world) error { return w.addGroup(ctx, deviceGroup, b.moving) })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	b.progress("%d things registered", b.moving)
	var walked moved
	for _, job := range []string{"first-walk", "walk"} { // the first finds servers that have nothing in memory yet
		walked, err = move(ctx, b, d, job, func(all crowd) error { all.close(); return nil })
		if err != nil {
			return nil, err
		}
	}
	leases, err := d.leases(ctx, d.nodes)
	if err != nil {
		return nil, err
	}
	var taken time.Duration
	var taking sync.WaitGroup
	var lost error
	fled, err := move(ctx, b, d, "flight", func(crowd) error {
		began := time.Now()
		d.nodes[0].kill()
		taking.Go(func() {
			lost = awaitCount(ctx, leases, leaseLook, func() (int, error) { return d.leases(ctx, d.nodes[1:]) })
			taken = time.Since(began)
		})
		return nil
	})
	taking.Wait()
	if err := errors.Join(err, lost); err != nil {
		return nil, err
	}
	return []figure{
		{
			name:  fmt.Sprintf("%s devices of a node that is killed, TCP: half / 99 %% / all have had an operation answered by another node after", count(b.moving)),
			value: fled.String(), beside: "when they move by themselves " + walked.String(), ratio: times(fled.took.at(1).Seconds(), walked.took.at(1).Seconds()), aim: "all ≤ 2 s",
		},
		{
			name:  "… processor time of the other nodes, the database and NATS for each",
			value: fled.spent(b.moving), beside: "when they move by themselves " + walked.spent(b.moving),
		},
		{name: "… attempts of devices that failed", value: count(fled.failed), beside: "when they move by themselves " + count(walked.failed)},
		{name: fmt.Sprintf("… all %d leases are with the other nodes after", leases), value: millis(taken), aim: "≤ 7 s"},
	}, nil
}

// leaseLook is how often to look who has the leases: a look costs the nodes something, too.
const leaseLook = 100 * time.Millisecond

// leases returns how many leases some nodes hold together.
func (d *deployment) leases(ctx context.Context, nodes []*server) (int, error) {
	total := 0
	for _, s := range nodes {
		held, err := s.metric(ctx, "muster_node_leases")
		if err != nil {
			return 0, err
		}
		total += int(held)
	}
	return total, nil
}

// moved is what was measured when all devices moved.
type moved struct {
	took                 latencies // from the cause until a device had an operation answered
	failed               int64     // attempts
	nodes, database, bus time.Duration
}

func (m moved) String() string {
	return fmt.Sprintf("%s / %s / %s", millis(m.took.at(0.5)), millis(m.took.at(0.99)), millis(m.took.at(1)))
}

func (m moved) spent(n int) string {
	return micros(m.nodes, n) + " + " + micros(m.database, n) + " + " + micros(m.bus, n)
}

// move connects all devices to the first node, gives them a job, lets cause end their connections,
// and measures how they get on at the other nodes, each as soon as it sees that its connection
// has ended.
func move(ctx context.Context, b *bench, d *deployment, job string, cause func(crowd) error) (m moved, err error) {
	all := make(crowd, b.moving)
	defer func() { all.close() }()
	err = inParallel(connecting, b.moving, func(_, i int) error {
		c, err := endpoint{addr: d.nodes[0].MQTT}.dial(ctx, i)
		if err != nil {
			return err
		}
		all[i] = c
		return c.settle(i)
	})
	if err != nil {
		return m, err
	}
	b.progress("%s: %d devices are connected", job, b.moving)
	ctx, cancel := context.WithTimeout(ctx, givingMax)
	defer cancel() // ends the devices if nothing else does
	moving := mover{to: d.nodes[1:], dialling: make(chan struct{}, connecting), begun: make(chan struct{}), back: make(crowd, len(all)), took: make(latencies, len(all))}
	var running sync.WaitGroup
	for i, c := range all {
		c.SetDeadline(time.Time{})
		running.Go(func() { moving.live(ctx, c, i) })
	}
	if err := b.giveJob(ctx, d.nodes[1], b.moving, job); err != nil {
		return m, err
	}
	b.progress("%s: all are told", job)
	time.Sleep(b.rest) // until the sessions are stored, and the notifications read
	var others time.Duration
	for _, s := range d.nodes[1:] {
		others -= s.cpu()
	}
	before, err := d.so()
	if err != nil {
		return m, err
	}
	moving.began = time.Now()
	close(moving.begun)
	if err := cause(all); err != nil {
		return m, err
	}
	running.Wait()
	after, err := d.so()
	if err := errors.Join(err, ctx.Err()); err != nil {
		return m, fmt.Errorf("not all devices have moved: %w", err)
	}
	for _, s := range d.nodes[1:] {
		others += s.cpu()
	}
	b.progress("%s: all have moved, the last after %v", job, moving.took.at(1))
	defer moving.back.close()
	err = inParallel(connecting, len(all), func(_, i int) error { return mqttDevice{moving.back[i]}.update(deviceName(i), job) })
	return moved{moving.took, moving.failed.Load(), others, after.database - before.database, after.bus - before.bus}, err
}

// mover lets devices come back.
type mover struct {
	to       []*server
	dialling chan struct{} // bounds those that connect at the same moment
	begun    chan struct{} // closed when their connections end, which is at began
	began    time.Time
	back     crowd
	took     latencies
	failed   atomic.Int64
}

// live lets a device read what it is sent until its connection ends, and come back then.
func (m *mover) live(ctx context.Context, c *client, i int) {
	for err := error(nil); err == nil; {
		_, err = c.next()
	}
	c.Close() // a process may not have so many files
	select {
	case <-m.begun:
		m.arrive(ctx, i)
	case <-ctx.Done():
	}
}

// arrive makes a device try until another node has answered it.
func (m *mover) arrive(ctx context.Context, i int) {
	for n := i; ctx.Err() == nil; n++ {
		c, err := m.visit(ctx, i, m.to[n%len(m.to)])
		if err == nil {
			m.back[i], m.took[i] = c, time.Since(m.began)
			return
		}
		m.failed.Add(1)
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
	}
}

// visit connects device i to a node, where it subscribes and starts its job.
func (m *mover) visit(ctx context.Context, i int, s *server) (*client, error) {
	m.dialling <- struct{}{}
	c, err := endpoint{addr: s.MQTT}.dial(ctx, i)
	<-m.dialling
	if err != nil {
		return nil, err
	}
	if err = c.settle(i); err == nil {
		err = mqttDevice{c}.start(deviceName(i))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// settle lets device i say who it is, with a session that is kept, and subscribe.
func (c *client) settle(i int) error {
	c.acks = true // or else its session keeps all that it gets
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.greet(deviceName(i), false); err != nil {
		return err
	}
	return c.subscribe(1, deviceFilters(deviceName(i))...)
}
