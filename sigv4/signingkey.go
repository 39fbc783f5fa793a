package sigv4

import (
	"strings"
	"sync"
)

// signingKeys remembers the keys derived from secrets (AUTH-78): one serves all
// requests of a caller for a day, and deriving it costs more than checking a
// signature. The zero value is empty. It may be used by many goroutines.
type signingKeys struct {
	mu sync.RWMutex // guards of
	of map[derivation][]byte
}

// derivation is all that a signing key is derived from, so that a secret which
// was replaced has another key.
type derivation struct {
	secret Secret
	scope  Scope
}

// maxSigningKeys bounds what is remembered. A caller has a handful for a day:
// one for each service and region.
const maxSigningKeys = 4096

// find returns the key of secret for a scope, and whether it was remembered.
func (k *signingKeys) find(secret Secret, scope Scope) (key []byte, remembered bool) {
	k.mu.RLock()
	key, remembered = k.of[derivation{secret, scope}]
	k.mu.RUnlock()
	if !remembered {
		key = scope.key(secret)
	}
	return key, remembered
}

// remember keeps a key that proved a signature. Other keys are not kept, because a
// request without a valid signature can name any access key and any region.
func (k *signingKeys) remember(secret Secret, scope Scope, key []byte) {
	// The parts of a request's scope would keep its whole header in memory.
	scope = Scope{strings.Clone(scope.Date), strings.Clone(scope.Region), strings.Clone(scope.Service)}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil || len(k.of) >= maxSigningKeys {
		k.of = map[derivation][]byte{} // yesterday's go, today's come again
	}
	k.of[derivation{secret, scope}] = key
}
