package identity

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/iotpolicy"
	"github.com/muster-iot/muster/sigv4"
)

// liveKey is an access key in use. Its life ends when the key is removed, expires,
// or is replaced by another one with the same id.
type liveKey struct {
	sigv4.Credential
	arn    string
	used   atomic.Int64 // seconds since the epoch, zero for never
	cancel context.CancelFunc
	rights *keyRights
}

// keyRights are what all callers with one access key share. The policies follow the
// file, and are empty once the key's life has ended. There is no secret in it.
type keyRights struct {
	policies atomic.Pointer[iotpolicy.Set]
	life     context.Context
}

// follow returns the live key for a key of the file: l with the new policies when
// it is the same key, and otherwise another one. l is nil for a new key.
func (l *liveKey) follow(key *Key) *liveKey {
	if l == nil || l.rights.life.Err() != nil || !l.is(key) {
		l = &liveKey{Credential: key.Credential, arn: key.Principal, rights: &keyRights{}}
		l.rights.life, l.cancel = context.WithCancel(context.Background())
	}
	l.rights.policies.Store(&key.set)
	return l
}

// is reports whether key is the same key, apart from its policies.
func (l *liveKey) is(key *Key) bool {
	return l.Secret == key.Secret && l.SessionToken == key.SessionToken && l.Expires.Equal(key.Expires) && l.arn == key.Principal
}

func (l *liveKey) end() {
	l.rights.policies.Store(&iotpolicy.Set{})
	l.cancel()
}

func (l *liveKey) caller() Caller { return Caller{ARN: l.arn, rights: l.rights} }

// expired reports whether the key has expired and its life has not been ended yet.
func (l *liveKey) expired(now time.Time) bool {
	return !l.Expires.IsZero() && !now.Before(l.Expires) && l.rights.life.Err() == nil
}
