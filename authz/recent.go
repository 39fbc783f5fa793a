package authz

import (
	"sync"
	"time"

	"github.com/muster-iot/muster"
)

// recentMax bounds the devices that are cached.
const recentMax = 16_384

// recentFor is how long a device's rights are cached when nothing changes: a
// certificate can expire without a change.
const recentFor = time.Minute

// recentDevices caches the devices of recent HTTPS requests. A device that polls
// comes again and again, and looking up its rights costs more than answering it.
// Any change of rights empties the whole cache before the change is answered:
// Authorizer.Changed has raised the generation by then.
type recentDevices struct {
	mu         sync.Mutex
	generation uint64 // that of Authorizer when found was looked up
	found      map[visitor]recentDevice
}

// visitor is a certificate and the address that it is used from; policies may
// depend on both.
type visitor struct {
	id      muster.CertificateID
	address string
}

type recentDevice struct {
	*Device
	until muster.Instant
}

// get returns the cached device of v, or nil when it must be looked up.
func (r *recentDevices) get(v visitor, generation uint64, now muster.Instant) *Device {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.found[v]; ok && r.generation == generation && now < d.until {
		return d.Device
	}
	return nil
}

// put caches the device of v, whose look-up began at generation.
func (r *recentDevices) put(v visitor, d *Device, generation uint64, now muster.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation < r.generation {
		return // a change came after this look-up began
	}
	if generation > r.generation || len(r.found) >= recentMax {
		clear(r.found)
	}
	r.generation = generation
	r.found[v] = recentDevice{d, now.Add(recentFor)}
}
