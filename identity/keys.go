package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-iot/muster/sigv4"
)

// ErrUnknownKey is returned for an access key that does not exist.
var ErrUnknownKey = sigv4.ErrUnknownKey

// maxKeys bounds the access keys of one file. They are for people and their tools,
// not for devices.
const maxKeys = 1000

// Keys are the access keys of a deployment, in one private file. A change of the
// file by any process takes effect with the next look-up and, while Run runs,
// within a second for callers that were looked up before. Keys may be used by many
// goroutines, and the file may be changed by many processes.
type Keys struct {
	o     KeysOptions
	ended atomic.Uint64 // how many live keys have ended

	mu    sync.RWMutex // guards what follows
	stamp fs.FileInfo  // the file as last read
	lost  bool         // the file could not be found the last time
	list  []*Key       // in the order of the file
	live  map[string]*liveKey
	used  usage // as last written to KeysOptions.Used
}

// KeysOptions are the parts of Keys.
type KeysOptions struct {
	// Path is where the file is, or will be.
	Path string
	// Used is where a server keeps when each key was last used. Nil keeps nothing.
	Used Uses
	// Account is the account of the first key's principal, 12 digits.
	Account string
	// Now is the clock by which keys are made, used and expire. Required.
	Now func() time.Time
	// Actions are those that exist. Keys whose policies name others are logged as
	// warnings. Empty means no warnings.
	Actions []string
	// Log gets what cannot be returned as an error. Nil discards.
	Log *slog.Logger
}

// OpenKeys reads the file. When there is none it makes one with a single key with
// full access, for the user "admin". A file that others may read is refused.
func OpenKeys(o KeysOptions) (*Keys, error) {
	if o.Now == nil {
		return nil, errors.New("open access keys: Now is required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keys{o: o}
	if _, err := os.Lstat(o.Path); errors.Is(err, fs.ErrNotExist) {
		admin := NewKey(o.Account, "admin")
		admin.FullAccess, admin.Made = true, o.Now()
		if err := writeKeys(o.Path, []Key{admin}); err != nil {
			return nil, fmt.Errorf("write access keys: %w", err)
		}
	}
	k.used = k.readUsage()
	return k, k.Reload()
}

// Reload reads the file again. When it cannot be read or is invalid, the keys stay
// as they were.
func (k *Keys) Reload() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.load()
}

func (k *Keys) load() error {
	list, stamp, err := readKeys(k.o.Path)
	if stamp != nil {
		k.stamp = stamp // also of an invalid file, so that it is read only once
	}
	if err != nil {
		return err
	}
	before := k.live
	k.list = make([]*Key, len(list))
	k.live = make(map[string]*liveKey, len(list))
	for i := range list {
		key := &list[i]
		k.list[i] = key
		k.live[key.AccessKeyID] = before[key.AccessKeyID].follow(key)
		if unknown := key.UnknownActions(k.o.Actions); len(unknown) > 0 && len(k.o.Actions) > 0 {
			k.o.Log.Warn("a policy of an access key names actions that do not exist; they have no effect",
				"access_key", key.AccessKeyID, "actions", strings.Join(unknown, " "))
		}
	}
	for id, was := range before {
		if k.live[id] != was {
			k.end(was)
		}
	}
	return nil
}

// end ends a live key: its callers lose their rights.
func (k *Keys) end(l *liveKey) {
	l.end()
	k.ended.Add(1)
}

// Lookup returns the credential of an access key, for sigv4.Verifier, or
// ErrUnknownKey.
func (k *Keys) Lookup(accessKeyID string) (sigv4.Credential, error) {
	l, err := k.find(accessKeyID)
	if err != nil {
		return sigv4.Credential{}, err
	}
	return l.Credential, nil
}

// Caller returns the holder of an access key, or ErrUnknownKey, and records that
// the key was used: call it after the signature was verified.
func (k *Keys) Caller(accessKeyID string) (Caller, error) {
	l, err := k.find(accessKeyID)
	if err != nil {
		return Caller{}, err
	}
	l.used.Store(k.o.Now().Unix())
	return l.caller(), nil
}

// Holder is Caller without recording that the key was used: for questions about a
// key.
func (k *Keys) Holder(accessKeyID string) (Caller, error) {
	l, err := k.find(accessKeyID)
	if err != nil {
		return Caller{}, err
	}
	return l.caller(), nil
}

func (k *Keys) find(accessKeyID string) (*liveKey, error) {
	k.follow()
	k.mu.RLock()
	defer k.mu.RUnlock()
	l, ok := k.live[accessKeyID]
	if !ok {
		return nil, fmt.Errorf("access key %q: %w", accessKeyID, ErrUnknownKey)
	}
	return l, nil
}

// follow reads the file again when it has changed since it was last read.
func (k *Keys) follow() {
	now, err := os.Stat(k.o.Path)
	k.mu.RLock()
	same := err == nil && !k.lost && sameFile(k.stamp, now) || err != nil && k.lost
	k.mu.RUnlock()
	if same {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		if !k.lost {
			k.o.Log.Error("the file of access keys cannot be found; the keys stay as they were", "file", k.o.Path, "error", err)
		}
		k.lost = true
		return
	}
	if k.lost = false; sameFile(k.stamp, now) {
		return
	}
	if err := k.load(); err != nil {
		k.o.Log.Error("access keys changed but cannot be used; the old ones stay", "file", k.o.Path, "error", err)
		return
	}
	k.o.Log.Info("access keys changed", "file", k.o.Path, "keys", len(k.list))
}

func sameFile(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

// Format writes the path only, for every verb: by itself, package fmt would print
// the secrets in unexported fields.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "access keys in %s", k.o.Path) }

// List returns all keys in the order of the file.
func (k *Keys) List() []Key {
	k.follow()
	k.mu.RLock()
	defer k.mu.RUnlock()
	used := k.usage()
	list := make([]Key, len(k.list))
	for i, key := range k.list {
		list[i] = *key
		list[i].LastUsed = used[key.AccessKeyID]
	}
	return list
}

// Add stores a new key, durably. A key whose id exists, or that is invalid, is an
// error.
func (k *Keys) Add(key Key) error {
	return k.change(func(list []Key) ([]Key, error) {
		return append(list, key), nil
	})
}

// Remove deletes a key, durably, or returns ErrUnknownKey.
func (k *Keys) Remove(accessKeyID string) error {
	return k.change(func(list []Key) ([]Key, error) {
		i := slices.IndexFunc(list, func(key Key) bool { return key.AccessKeyID == accessKeyID })
		if i < 0 {
			return nil, fmt.Errorf("access key %q: %w", accessKeyID, ErrUnknownKey)
		}
		return slices.Delete(list, i, i+1), nil
	})
}

// change applies fn to the keys in the file and writes the result. A lock lets one
// process at a time do so: otherwise an addition by a process that had read the
// file earlier could undo a removal.
func (k *Keys) change(fn func([]Key) ([]Key, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	unlock, err := lockBeside(k.o.Path)
	if err != nil {
		return fmt.Errorf("lock access keys: %w", err)
	}
	defer unlock()
	list, _, err := readKeys(k.o.Path)
	if err != nil {
		return err
	}
	if list, err = fn(list); err != nil {
		return err
	}
	if err := writeKeys(k.o.Path, list); err != nil {
		return fmt.Errorf("write access keys: %w", err)
	}
	return k.load()
}
