package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/muster-iot/muster/identity/ca"
)

// nodesRevocation measures how soon a device loses its connection to one node when another one is
// told that its certificate is no longer active, with NATS and without.
func nodesRevocation(ctx context.Context, b *bench) (figures []figure, err error) {
	f, err := newFleet(filepath.Join(b.dir, "revocation", "devices"), 2*b.revoked)
	if err != nil {
		return nil, err
	}
	d, err := b.deploy(ctx, filepath.Join(b.dir, "revocation"), 2, func(w *world) error { return w.register(ctx, f) })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	all, err := d.nodes[1].endpoint(f, true).gather(ctx, 2*b.revoked, deviceName, nil)
	if err != nil {
		return nil, err
	}
	defer all.close()
	with, err := revoke(ctx, b, d, f, all, 0)
	if err != nil {
		return nil, err
	}
	if err := d.bus.Kill(); err != nil {
		return nil, err
	}
	without, err := revoke(ctx, b, d, f, all, b.revoked)
	if err != nil {
		return nil, err
	}
	half := func(l latencies) string { return millis(l.at(0.5)) + " / " + millis(l.at(1)) }
	return []figure{
		{name: fmt.Sprintf("UpdateCertificate at one node until the device's connection to another one is closed, %d times: half / all within", len(with)), value: half(with), aim: "≤ 1 s"},
		{name: "… while NATS is stopped", value: half(without), aim: "≤ 2 s"},
	}, nil
}

// revokePause is the longest pause between two revocations: the nodes look for news in regular
// steps while NATS is away, and measurements must not go with them.
const revokePause = 1500 * time.Millisecond

// revoke revokes the certificates of some devices, from a number on, at the first node, and returns how
// long after each request the connection was closed.
func revoke(ctx context.Context, b *bench, d *deployment, f *fleet, all crowd, from int) (latencies, error) {
	api, err := d.nodes[0].callAPI(ctx, "iot")
	if err != nil {
		return nil, err
	}
	defer api.close()
	each := make(latencies, b.revoked)
	for i := range each {
		time.Sleep(rand.N(min(b.rest, revokePause)))
		c := all[from+i]
		c.SetDeadline(time.Now().Add(patience))
		began := time.Now()
		if err := api.do("PUT", "/certificates/"+string(ca.ID(f.certificates[from+i]))+"?newStatus=INACTIVE", ""); err != nil {
			return nil, err
		}
		for err = nil; err == nil; {
			_, err = c.next()
		}
		if each[i] = time.Since(began); each[i] >= patience {
			return nil, fmt.Errorf("the connection of %s stays open", deviceName(from+i))
		}
	}
	return each, nil
}
