// Package fleet simulates a fleet of devices: each thing runs one of the two
// device workflows through package device, works for a while, reports progress,
// and succeeds, fails or rejects as the seed determines. Demo, rehearsals and
// benchmarks use it. It depends on the public contract only, not on the server.
package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/muster-iot/muster/device"
)

// Options say who the devices are and how they behave. Things and Dial are
// required.
type Options struct {
	Things []string
	// Dial connects one thing; the fleet closes the client.
	Dial func(ctx context.Context, thing string) (*device.Client, error)
	Behavior
	// Outcome, if not nil, decides how an execution of a job ends on a thing, in
	// place of the rates in Behavior. It is called from many goroutines.
	Outcome func(thing, job string, number int64) Outcome
	// Verifier, if not nil, downloads and verifies the files of jobs before
	// devices do them; a device rejects what it does not trust.
	Verifier *device.Verifier
	Log      *slog.Logger // nil discards
}

// dialsMax is how many devices connect at a time: enough to use two cores, and so
// few that none of them times out while it waits for the others.
const dialsMax = 64

// Fleet is a set of devices. Make it with New and run it once.
type Fleet struct {
	o       Options
	dials   chan struct{}
	waiting sync.WaitGroup // devices that are not connected yet
	ready   chan struct{}
}

// New returns a fleet that is not running.
func New(o Options) *Fleet {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Fleet{o: o, dials: make(chan struct{}, dialsMax), ready: make(chan struct{})}
	f.waiting.Add(len(o.Things))
	return f
}

// Ready is closed once every device has been connected, or has given up.
func (f *Fleet) Ready() <-chan struct{} { return f.ready }

// Run runs the devices until ctx ends. A device that gets a final refusal stops,
// and the others continue; Run then returns an error at its end.
func (f *Fleet) Run(ctx context.Context) error {
	var running sync.WaitGroup
	var mu sync.Mutex
	var first error
	stopped := 0
	for _, thing := range f.o.Things {
		running.Go(func() {
			if err := f.run(ctx, thing); err != nil && ctx.Err() == nil {
				f.o.Log.Warn("device stopped", "thing", thing, "error", err)
				mu.Lock()
				defer mu.Unlock()
				stopped++
				if first == nil {
					first = fmt.Errorf("%s: %w", thing, err)
				}
			}
		})
	}
	running.Go(func() {
		f.waiting.Wait()
		close(f.ready)
	})
	running.Wait()
	if first != nil {
		return fmt.Errorf("%d of %d devices stopped, the first: %w", stopped, len(f.o.Things), first)
	}
	return nil
}

// run runs one device.
func (f *Fleet) run(ctx context.Context, thing string) error {
	client, err := f.dial(ctx, thing)
	f.waiting.Done()
	if err != nil {
		return err
	}
	defer client.Close()
	d := dev{fleet: f, thing: thing, client: client}
	if f.o.picks(thing) {
		return d.pick(ctx)
	}
	return client.Run(ctx, d.handler())
}

func (f *Fleet) dial(ctx context.Context, thing string) (*device.Client, error) {
	select {
	case f.dials <- struct{}{}:
		defer func() { <-f.dials }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return f.o.Dial(ctx, thing)
}

// outcome says how an execution of job ends on thing.
func (f *Fleet) outcome(thing, job string, number int64) Outcome {
	if f.o.Outcome != nil {
		return f.o.Outcome(thing, job, number)
	}
	return f.o.outcome(thing, job, number)
}
