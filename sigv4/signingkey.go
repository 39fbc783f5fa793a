package sigv4

import (
	"strings"
	"sync"
)

// signingKeys caches the keys derived from secrets (AUTH-78): a key is the same for
// all requests of a caller on one day, and deriving it costs more than checking a
// signature. The zero value is empty. It may be used by many goroutines.
type signingKeys struct {
	mu sync.RWMutex // guards of
	of map[derivation][]byte
}

// derivation is all that a signing key is derived from. The secret is part of it, so
// that one that was replaced has another key.
type derivation struct {
	secret Secret
	scope  Scope
}

// maxSigningKeys bounds the cache. A caller has a few keys on one day: one for each
// service and region.
const maxSigningKeys = 4096

// find returns the key of secret for a scope, and whether it was cached.
func (k *signingKeys) find(secret Secret, scope Scope) (key []byte, cached bool) {
	k.mu.RLock()
	key, cached = k.of[derivation{secret, scope}]
	k.mu.RUnlock()
	if !cached {
		key = scope.key(secret)
	}
	return key, cached
}

// remember caches a key that verified a signature. Other keys are not cached, because
// a request without a valid signature can name any access key and any region.
func (k *signingKeys) remember(secret Secret, scope Scope, key []byte) {
	// Substrings of a request's header would keep the whole header in memory.
	scope = Scope{strings.Clone(scope.Date), strings.Clone(scope.Region), strings.Clone(scope.Service)}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil || len(k.of) >= maxSigningKeys {
		k.of = map[derivation][]byte{} // those of today are soon cached again
	}
	k.of[derivation{secret, scope}] = key
}
