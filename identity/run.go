package identity

import (
	"context"
	"time"
)

const (
	// followEvery is how long a change of the key file, or the end of a key, may
	// go unnoticed by callers that were found before.
	followEvery = time.Second
	// usageEvery is how often it is noted when keys were last used, which is what
	// a crash forgets at most.
	usageEvery = time.Minute
)

// Run follows the key file and the clock until ctx ends, so that keys which are
// removed, replaced or expire lose their rights even when no request comes. It
// calls changed after each time that a Caller's life has ended.
func (k *Keys) Run(ctx context.Context, changed func()) {
	follow, note := time.NewTicker(followEvery), time.NewTicker(usageEvery)
	defer follow.Stop()
	defer note.Stop()
	defer k.writeUsage()
	for ended := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-note.C:
			k.writeUsage()
		case <-follow.C:
			k.follow()
			k.expire(k.o.Now())
			if n := k.ended.Load(); n != ended {
				ended = n
				changed()
			}
		}
	}
}

// expire ends the keys whose time has come.
func (k *Keys) expire(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, l := range k.live {
		if l.expired(now) {
			k.end(l)
			k.o.Log.Info("access key expired", "access_key", id, "principal", l.arn, "expires", l.Expires)
		}
	}
}
