package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"

	"github.com/muster-iot/muster/sigv4"
)

// ErrUnknownKey is returned for an access key that does not exist.
var ErrUnknownKey = sigv4.ErrUnknownKey

// maxKeys is how many access keys one file may hold: people and their tools,
// not devices.
const maxKeys = 1000

// Keys is the access keys of a deployment, kept in one private file. A change of
// the file, by whatever process, counts from the next look-up on. It may be used
// by many goroutines at a time; of several processes only one may Add or Remove
// at a time.
type Keys struct {
	path string
	log  *slog.Logger

	mu    sync.RWMutex // guards what follows
	stamp fs.FileInfo  // the file as last read
	list  []*Key       // in the order of the file
	byID  map[string]*Key
}

// KeysOptions are the parts of Keys.
type KeysOptions struct {
	// Path is where the file is, or will be.
	Path string
	// Account is the 12 digits that the first key's principal carries.
	Account string
	// Log receives what cannot be returned; nil discards it.
	Log *slog.Logger
}

// OpenKeys reads the file. When there is none it makes one that holds a single
// key with full access, for the user "admin". A file that others may read is
// refused.
func OpenKeys(o KeysOptions) (*Keys, error) {
	k := &Keys{path: o.Path, log: o.Log}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if _, err := os.Lstat(o.Path); errors.Is(err, fs.ErrNotExist) {
		admin := NewKey(o.Account, "admin")
		admin.FullAccess = true
		if err := writeKeys(o.Path, []Key{admin}); err != nil {
			return nil, fmt.Errorf("write access keys: %w", err)
		}
	}
	return k, k.Reload()
}

// Reload reads the file again. When it cannot be read or is not in order, the
// keys stay as they were.
func (k *Keys) Reload() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.load()
}

func (k *Keys) load() error {
	list, stamp, err := readKeys(k.path)
	if stamp != nil {
		k.stamp = stamp // also when it is broken, to read it once only
	}
	if err != nil {
		return err
	}
	k.list = make([]*Key, len(list))
	k.byID = make(map[string]*Key, len(list))
	for i := range list {
		k.list[i] = &list[i]
		k.byID[list[i].AccessKeyID] = &list[i]
	}
	return nil
}

// Lookup returns the credential of an access key, for sigv4.Verifier, or
// ErrUnknownKey.
func (k *Keys) Lookup(accessKeyID string) (sigv4.Credential, error) {
	key, err := k.key(accessKeyID)
	return key.Credential, err
}

// Caller returns whom an access key stands for, or ErrUnknownKey.
func (k *Keys) Caller(accessKeyID string) (Caller, error) {
	key, err := k.key(accessKeyID)
	return Caller{ARN: key.Principal, Policies: key.set}, err
}

func (k *Keys) key(accessKeyID string) (Key, error) {
	k.follow()
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, ok := k.byID[accessKeyID]
	if !ok {
		return Key{}, fmt.Errorf("access key %q: %w", accessKeyID, ErrUnknownKey)
	}
	return *key, nil
}

// follow reads the file again when it is not the one last read.
func (k *Keys) follow() {
	now, err := os.Stat(k.path)
	if err != nil {
		return // being replaced, or lost: what was read still counts
	}
	k.mu.RLock()
	same := sameFile(k.stamp, now)
	k.mu.RUnlock()
	if same {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if sameFile(k.stamp, now) {
		return
	}
	if err := k.load(); err != nil {
		k.log.Error("access keys changed but cannot be used; the old ones stay", "file", k.path, "error", err)
		return
	}
	k.log.Info("access keys changed", "file", k.path, "keys", len(k.list))
}

func sameFile(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

// Format writes the path and no more, whatever the verb: left to itself, package
// fmt would print the secrets in unexported fields.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "access keys in %s", k.path) }

// List returns all keys in the order of the file.
func (k *Keys) List() []Key {
	k.follow()
	k.mu.RLock()
	defer k.mu.RUnlock()
	list := make([]Key, len(k.list))
	for i, key := range k.list {
		list[i] = *key
	}
	return list
}

// Add stores a new key. It is durable when Add returns.
func (k *Keys) Add(key Key) error {
	return k.change(func(list []Key) ([]Key, error) {
		return append(list, key), nil
	})
}

// Remove deletes a key, or returns ErrUnknownKey.
func (k *Keys) Remove(accessKeyID string) error {
	return k.change(func(list []Key) ([]Key, error) {
		i := slices.IndexFunc(list, func(key Key) bool { return key.AccessKeyID == accessKeyID })
		if i < 0 {
			return nil, fmt.Errorf("access key %q: %w", accessKeyID, ErrUnknownKey)
		}
		return slices.Delete(list, i, i+1), nil
	})
}

// change applies fn to what the file holds now and writes the result.
func (k *Keys) change(fn func([]Key) ([]Key, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	list, _, err := readKeys(k.path)
	if err != nil {
		return err
	}
	if list, err = fn(list); err != nil {
		return err
	}
	if err := writeKeys(k.path, list); err != nil {
		return fmt.Errorf("write access keys: %w", err)
	}
	return k.load()
}
