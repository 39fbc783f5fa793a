package identity

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/sigv4"
)

// liveKey is an access key as the server has it. When the key is removed, is
// replaced by another one with the same id or expires, its life ends.
type liveKey struct {
	sigv4.Credential
	arn    string
	used   atomic.Int64 // seconds since the epoch, zero for never
	cancel context.CancelFunc
	grant  *grant
}

// grant is what all who proved that they hold a key share. It follows the file,
// and allows nothing once the key's life has ended. It holds no secret.
type grant struct {
	policies atomic.Pointer[iotpolicy.Set]
	life     context.Context
}

// follow returns the live key for what the file holds now: the same one, with
// other rights, as long as it is the same key. l is nil for one that is new.
func (l *liveKey) follow(key *Key) *liveKey {
	if l == nil || l.grant.life.Err() != nil || !l.is(key) {
		l = &liveKey{Credential: key.Credential, arn: key.Principal, grant: &grant{}}
		l.grant.life, l.cancel = context.WithCancel(context.Background())
	}
	l.grant.policies.Store(&key.set)
	return l
}

// is reports whether key is the same key, whatever it may do.
func (l *liveKey) is(key *Key) bool {
	return l.Secret == key.Secret && l.SessionToken == key.SessionToken && l.Expires.Equal(key.Expires) && l.arn == key.Principal
}

func (l *liveKey) end() {
	l.grant.policies.Store(&iotpolicy.Set{})
	l.cancel()
}

func (l *liveKey) caller() Caller { return Caller{ARN: l.arn, grant: l.grant} }

// expired reports whether the key has come to its end and does not know yet.
func (l *liveKey) expired(now time.Time) bool {
	return !l.Expires.IsZero() && !now.Before(l.Expires) && l.grant.life.Err() == nil
}
