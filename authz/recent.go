package authz

import (
	"sync"
	"time"

	"github.com/muster-iot/muster"
)

// recentMax bounds the devices kept for their next request.
const recentMax = 16_384

// recentFor is how long a device's rights count when nothing changes, since a
// certificate can also expire.
const recentFor = time.Minute

// recentDevices are the devices of HTTPS requests that came a moment ago. One
// that polls comes again and again, and to find its rights costs more than to
// answer it. Any change of anybody's rights forgets them all, before whoever
// made it has an answer.
type recentDevices struct {
	mu    sync.Mutex
	noted uint64 // what Authorizer.noted was when they were looked up
	found map[visitor]recentDevice
}

// visitor is who came from where: policies may look at both.
type visitor struct {
	id      muster.CertificateID
	address string
}

type recentDevice struct {
	*Device
	until muster.Instant
}

// get returns the device that v was found to be, or nil when it has to be
// looked up.
func (r *recentDevices) get(v visitor, noted uint64, now muster.Instant) *Device {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.found[v]; ok && r.noted == noted && now < d.until {
		return d.Device
	}
	return nil
}

// put keeps what v was found to be, by what was known at noted.
func (r *recentDevices) put(v visitor, d *Device, noted uint64, now muster.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if noted < r.noted {
		return // others know more by now
	}
	if noted > r.noted || len(r.found) >= recentMax {
		clear(r.found)
	}
	r.noted = noted
	r.found[v] = recentDevice{d, now.Add(recentFor)}
}
