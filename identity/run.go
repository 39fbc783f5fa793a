package identity

import (
	"context"
	"time"
)

const (
	// followEvery bounds how late a change of the key file, or the expiry of a key,
	// takes effect for callers that were looked up before.
	followEvery = time.Second
	// usageEvery is how often the last use of keys is recorded; a crash loses this
	// much at most.
	usageEvery = time.Minute
)

// Run watches the key file and the clock until ctx ends, so that keys that are
// removed, replaced or expire lose their rights even when no request comes. It
// calls changed when the life of a Caller has ended.
func (k *Keys) Run(ctx context.Context, changed func()) {
	follow, record := time.NewTicker(followEvery), time.NewTicker(usageEvery)
	defer follow.Stop()
	defer record.Stop()
	defer func() { k.writeUsage(context.WithoutCancel(ctx)) }()
	for ended := uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-record.C:
			k.writeUsage(ctx)
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

// expire ends the keys that have expired.
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
