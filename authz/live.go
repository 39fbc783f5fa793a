package authz

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/rights"
)

// liveDevices finds the devices whose rights a change may concern. It holds weak
// pointers, so that a connection that ends needs no removal: its device is
// collected, and its entry with the next sweep.
type liveDevices struct {
	overflow atomic.Bool // changes were lost: all devices are concerned

	mu            sync.Mutex
	byCertificate holders[muster.CertificateID]
	byThing       holders[muster.ThingName]
	added         int // since the last sweep
}

// sweepEvery is after how many new devices, at least, the entries of collected
// devices are removed. Those of certificates that connect again go earlier.
const sweepEvery = 4096

func (l *liveDevices) init() {
	l.byCertificate = holders[muster.CertificateID]{}
	l.byThing = holders[muster.ThingName]{}
}

func (l *liveDevices) add(d *Device) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byCertificate.add(d.id, d)
	if thing := d.Thing(); thing != "" {
		l.byThing.add(thing, d)
	}
	if l.added++; l.added >= max(sweepEvery, len(l.byCertificate)/2) {
		l.added = 0
		l.byCertificate.sweep()
		l.byThing.sweep()
	}
}

// moved files a device under the thing that it acts as now.
func (l *liveDevices) moved(d *Device) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if thing := d.Thing(); thing != "" {
		l.byThing.add(thing, d)
	}
}

// affected returns the live devices that c may concern, each once.
func (l *liveDevices) affected(c rights.Change) []*Device {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[*Device]bool{}
	if c.All {
		for id := range l.byCertificate {
			l.byCertificate.collect(id, found)
		}
	}
	for _, id := range c.Certificates {
		l.byCertificate.collect(id, found)
	}
	for _, thing := range c.Things {
		l.byThing.collect(thing, found)
	}
	return slices.Collect(maps.Keys(found))
}

// holders are the devices that share a certificate or a thing.
type holders[K comparable] map[K][]weak.Pointer[Device]

func (h holders[K]) add(key K, d *Device) { h[key] = append(alive(h[key]), weak.Make(d)) }

func (h holders[K]) collect(key K, into map[*Device]bool) {
	for _, p := range h[key] {
		if d := p.Value(); d != nil {
			into[d] = true
		}
	}
}

func (h holders[K]) sweep() {
	for key, all := range h {
		if h[key] = alive(all); len(h[key]) == 0 {
			delete(h, key)
		}
	}
}

func alive(all []weak.Pointer[Device]) []weak.Pointer[Device] {
	return slices.DeleteFunc(all, func(p weak.Pointer[Device]) bool { return p.Value() == nil })
}

// policiesMax bounds the compiled policies that are cached.
const policiesMax = 4096

// policyCache caches compiled policies by their text, so that no entry ever goes
// stale.
type policyCache struct {
	mu       sync.Mutex
	compiled map[policyText]*iotpolicy.Policy
}

type policyText struct{ name, document string }

func (c *policyCache) init() { c.compiled = map[policyText]*iotpolicy.Policy{} }

func (c *policyCache) compile(p muster.Policy) (*iotpolicy.Policy, error) {
	text := policyText{p.Name, p.InForce()}
	c.mu.Lock()
	compiled := c.compiled[text]
	c.mu.Unlock()
	if compiled != nil {
		return compiled, nil
	}
	compiled, err := iotpolicy.Parse(text.name, text.document)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.compiled) >= policiesMax {
		clear(c.compiled)
	}
	c.compiled[text] = compiled
	return compiled, nil
}
