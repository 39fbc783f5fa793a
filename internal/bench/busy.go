package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/gateway/packet"
)

// busyFleet is devices that work: in turn each asks what is pending and reports
// progress of its job, at a fixed rate of all together.
type busyFleet struct {
	clients crowd
	first   int // the number of the first of them
	rate    int // requests a second
}

// busyLatencies are how long its requests took.
type busyLatencies struct{ get, update latencies }

// during runs the fleet while do runs. The latency of a request counts from when
// it was due.
func (f busyFleet) during(do func() error) (busyLatencies, error) {
	n := len(f.clients)
	each := make([]busyLatencies, n)
	gap := time.Second / time.Duration(f.rate)
	start := time.Now()
	var over atomic.Bool
	ended := make(chan error, 1)
	go func() {
		ended <- inParallel(n, n, func(_, i int) error {
			thing := deviceName(f.first + i)
			get := requestPacket(thing, "get", "{}")
			update := requestPacket(thing, busyJob+"/update", `{"status":"IN_PROGRESS","statusDetails":{"progress":"50 %"}}`)
			for round := 0; ; round++ {
				due := start.Add(gap * time.Duration(round*n+i))
				time.Sleep(time.Until(due))
				if over.Load() {
					return nil
				}
				wire, took := get, &each[i].get
				if round%2 == 1 {
					wire, took = update, &each[i].update
				}
				if err := f.clients[i].request(wire); err != nil {
					return fmt.Errorf("%s: %w", thing, err)
				}
				*took = append(*took, time.Since(due))
			}
		})
	}()
	err := do()
	over.Store(true)
	if working := <-ended; err == nil {
		err = working
	}
	var all busyLatencies
	for _, l := range each {
		all.get, all.update = slices.Concat(all.get, l.get), slices.Concat(all.update, l.update)
	}
	return all, err
}

// gatherFrom connects n devices, the first of which has the number first.
func (e endpoint) gatherFrom(ctx context.Context, first, n int) (crowd, error) {
	all := make(crowd, n)
	err := inParallel(connecting, n, func(_, i int) (err error) {
		all[i], _, err = e.connect(ctx, first+i, deviceName(first+i), true)
		return err
	})
	if err != nil {
		all.close()
	}
	return all, err
}

// hear waits for a message on a topic.
func (c *client) hear(topic string) error {
	for {
		f, err := c.next()
		if err != nil {
			return err
		}
		if f.Type() == packet.PUBLISH && bytes.Equal(topicOf(f), []byte(topic)) {
			return nil
		}
	}
}
