package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/muster-iot/muster"
)

// masses makes, once, a data folder with very many things in one group. The first
// are devices with certificates; the last of these have a job in progress and are
// the busy fleet.
func (b *bench) masses(ctx context.Context) (*fleet, error) {
	if b.crowded != nil {
		return b.crowded, nil
	}
	f, err := newFleet(filepath.Join(b.dir, "masses"), b.connected)
	if err != nil {
		return nil, err
	}
	w, err := b.open(f.folder)
	if err != nil {
		return nil, err
	}
	if err := w.populate(ctx, f, b.population, b.busy); err != nil {
		w.close()
		return nil, err
	}
	b.progress("%d things registered", b.population)
	b.crowded = f
	return f, w.close()
}

// busyJob is what the busy devices have in progress.
const busyJob = "busy"

// populate registers a fleet and other things up to the number of things, with
// names between those of the devices, and gives the busy devices a job.
func (w *world) populate(ctx context.Context, f *fleet, things, busy int) error {
	if err := w.register(ctx, f); err != nil {
		return err
	}
	devices := len(f.certificates)
	err := w.addThings(ctx, deviceGroup, things-devices, func(i int) string { return betweenName(i, devices) })
	if err != nil {
		return err
	}
	if err := w.createGroup(ctx, busyJob); err != nil {
		return err
	}
	err = inParallel(registering, busy, func(_, i int) error {
		return w.service.Registry.AddThingToThingGroup(ctx, muster.ThingName(deviceName(devices-busy+i)), busyJob)
	})
	if err != nil {
		return err
	}
	if _, err := w.fanOut(ctx, busyJob, busyJob, busy); err != nil {
		return err
	}
	return inParallel(registering, busy, func(_, i int) error { return w.begin(ctx, deviceName(devices-busy+i)) })
}

// betweenName is the name of thing i that is not a device. It sorts after that of
// one of the devices, so that a rollout reaches devices all the time.
func betweenName(i, devices int) string {
	return fmt.Sprintf("%s-%d", deviceName(i%devices), i/devices)
}
