package identity_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster/identity"
)

const (
	listAll  = `{"Statement":{"Effect":"Allow","Action":"iot:List*","Resource":"*"}}`
	listJobs = `{"Statement":{"Effect":"Allow","Action":"iot:ListJobs","Resource":"*"}}`
)

// noted is an identity.Uses in memory.
type noted struct {
	mu   sync.Mutex
	uses map[string]time.Time
	err  error // of every call, if set
}

func (n *noted) LastUses(context.Context) (map[string]time.Time, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.uses, n.err
}

func (n *noted) KeepLastUses(_ context.Context, now map[string]time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.uses = now
	}
	return n.err
}

// serving runs keys on path as a server does, and counts the calls of changed.
func serving(t *testing.T, path string, notes identity.Uses) (keys *identity.Keys, changed func() int) {
	t.Helper()
	keys, err := identity.OpenKeys(identity.KeysOptions{Path: path, Used: notes, Account: account, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	go keys.Run(t.Context(), func() { mu.Lock(); n++; mu.Unlock() })
	return keys, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// A caller that was looked up before its key changed follows the change within a
// second, without another look-up.
func TestCallersFollowTheirKey(t *testing.T) {
	type change func(t *testing.T, admin *identity.Keys, key identity.Key)
	rewrite := func(edit func(*identity.Key)) change {
		return func(t *testing.T, admin *identity.Keys, key identity.Key) {
			if err := admin.Remove(key.AccessKeyID); err != nil {
				t.Fatal(err)
			}
			edit(&key)
			if err := admin.Add(key); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		change           change
		after            time.Duration
		alive, may, also bool // may list jobs, and also things
	}{
		"nothing happens": {change: func(*testing.T, *identity.Keys, identity.Key) {}, alive: true, may: true, also: true},
		"another key is removed": {change: func(t *testing.T, admin *identity.Keys, _ identity.Key) {
			if err := admin.Remove(admin.List()[0].AccessKeyID); err != nil {
				t.Fatal(err)
			}
		}, alive: true, may: true, also: true},
		"it is removed": {change: func(t *testing.T, admin *identity.Keys, key identity.Key) {
			if err := admin.Remove(key.AccessKeyID); err != nil {
				t.Fatal(err)
			}
		}},
		"it may do less":            {change: rewrite(func(k *identity.Key) { k.Policies = []string{listJobs} }), alive: true, may: true},
		"it may do nothing":         {change: rewrite(func(k *identity.Key) { k.Policies = nil }), alive: true},
		"its secret changes":        {change: rewrite(func(k *identity.Key) { k.Secret = "another" })},
		"it gets a session token":   {change: rewrite(func(k *identity.Key) { k.SessionToken = "t" })},
		"it is another person's":    {change: rewrite(func(k *identity.Key) { k.Principal += "e" })},
		"it will expire":            {change: rewrite(func(k *identity.Key) { k.Expires = time.Now().Add(time.Hour) })}, // connections come again
		"it comes to its end":       {change: func(*testing.T, *identity.Keys, identity.Key) {}, after: 25 * time.Hour},
		"it is about to, not there": {change: func(*testing.T, *identity.Keys, identity.Key) {}, after: 23 * time.Hour, alive: true, may: true, also: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			synctest.Test(t, func(t *testing.T) {
				keys, changed := serving(t, path, nil)
				admin := open(t, path)
				key := identity.NewKey(account, "ann")
				key.Policies, key.Expires = []string{listAll}, time.Now().Add(24*time.Hour).UTC()
				if err := admin.Add(key); err != nil {
					t.Fatal(err)
				}
				caller, err := keys.Caller(key.AccessKeyID)
				if err != nil {
					t.Fatal(err)
				}
				test.change(t, admin, key)
				time.Sleep(test.after + time.Second)
				synctest.Wait()
				if alive := caller.Life().Err() == nil; alive != test.alive {
					t.Errorf("a second later the key lives: %t, want %t", alive, test.alive)
				}
				for action, want := range map[string]bool{"iot:ListJobs": test.may, "iot:ListThings": test.also} {
					if may := caller.Authorize(action, nil, nil) == nil; may != want {
						t.Errorf("a second later the caller may %s: %t, want %t", action, may, want)
					}
				}
				if told := changed() > 0; told != (!test.alive || name == "another key is removed") {
					t.Errorf("changed was called: %t", told)
				}
			})
		})
	}
}

// When many processes add and remove keys at the same time, all are added and
// removed.
func TestChangesOfManyProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	first := open(t, path)
	victims := make([]identity.Key, 12)
	for i := range victims {
		victims[i] = identity.NewKey(account, "victim")
		if err := first.Add(victims[i]); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range victims {
		adding, removing := open(t, path), open(t, path)
		all.Go(func() {
			if err := adding.Add(identity.NewKey(account, "new")); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := removing.Remove(victims[i].AccessKeyID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	count := map[string]int{}
	for _, k := range open(t, path).List() {
		count[k.Principal[len("arn:aws:iam::123456789012:user/"):]]++
	}
	if count["new"] != len(victims) || count["victim"] != 0 {
		t.Errorf("the file has %v, want %d new keys and no victim", count, len(victims))
	}
}

// The last use is recorded to the minute, survives a restart, and is kept for
// existing keys only.
func TestLastUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	lastUse := func(k *identity.Keys, id string) time.Time {
		for _, key := range k.List() {
			if key.AccessKeyID == id {
				return key.LastUsed
			}
		}
		return time.Time{}
	}
	notes := new(noted)
	again := func() (*identity.Keys, error) {
		return identity.OpenKeys(identity.KeysOptions{Path: path, Used: notes, Account: account, Now: time.Now})
	}
	synctest.Test(t, func(t *testing.T) {
		keys, _ := serving(t, path, notes)
		ann, bob := identity.NewKey(account, "ann"), identity.NewKey(account, "bob")
		for _, key := range []identity.Key{ann, bob} {
			if err := keys.Add(key); err != nil {
				t.Fatal(err)
			}
		}
		if at := lastUse(keys, ann.AccessKeyID); !at.IsZero() {
			t.Errorf("a new key was used at %s", at)
		}
		time.Sleep(90 * time.Second)
		used := time.Now().UTC().Truncate(time.Minute)
		for _, key := range []identity.Key{ann, bob} {
			if _, err := keys.Caller(key.AccessKeyID); err != nil {
				t.Fatal(err)
			}
		}
		if at := lastUse(keys, ann.AccessKeyID); !at.Equal(used) {
			t.Errorf("a key used at %s was used at %s", used, at)
		}
		// A crash now would lose it; it is recorded within a minute.
		if at := lastUse(open(t, path), ann.AccessKeyID); !at.IsZero() {
			t.Errorf("a process without notes knows that the key was used at %s", at)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := keys.Remove(bob.AccessKeyID); err != nil {
			t.Fatal(err)
		}
		again, err := again()
		if err != nil {
			t.Fatal(err)
		}
		if at := lastUse(again, ann.AccessKeyID); !at.Equal(used) {
			t.Errorf("after a restart the key was used at %s, want %s", at, used)
		}
		for _, question := range []func(string) error{
			func(id string) error { _, err := again.Lookup(id); return err }, // not a use: anybody can ask with the id
			func(id string) error { _, err := again.Holder(id); return err },
		} {
			if err := question(ann.AccessKeyID); err != nil {
				t.Fatal(err)
			}
			if at := lastUse(again, ann.AccessKeyID); !at.Equal(used) {
				t.Errorf("a question about the key counts as its use at %s", at)
			}
		}
	})
	notes.err = errors.New("the store is gone")
	if keys, err := again(); err != nil || len(keys.List()) != 2 {
		t.Errorf("without notes OpenKeys() = %v, want the keys all the same", err)
	}
}

// What could not be noted is noted the next time, also when that is the end.
func TestLastUseIsNotedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	synctest.Test(t, func(t *testing.T) {
		notes := &noted{err: errors.New("the store is gone")}
		keys, err := identity.OpenKeys(identity.KeysOptions{Path: path, Used: notes, Account: account, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go keys.Run(ctx, func() {})
		id := keys.List()[0].AccessKeyID
		if _, err := keys.Caller(id); err != nil {
			t.Fatal(err)
		}
		used := time.Now().UTC().Truncate(time.Minute)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		notes.mu.Lock()
		notes.err = nil
		notes.mu.Unlock()
		stop()
		synctest.Wait()
		if uses, err := notes.LastUses(t.Context()); err != nil || !uses[id].Equal(used) {
			t.Errorf("at the end %v is noted, %v; want %s", uses, err, used)
		}
	})
}

func TestNotesOfFormerReleases(t *testing.T) {
	uses, err := identity.FormerUses(file(t, 0o600, `{"version":1,"lastUsed":{"AKIDEXAMPLE":"2026-11-29T10:20:00Z"}}`))
	if want := time.Date(2026, 11, 29, 10, 20, 0, 0, time.UTC); err != nil || len(uses) != 1 || !uses["AKIDEXAMPLE"].Equal(want) {
		t.Errorf("FormerUses() = %v, %v", uses, err)
	}
	for _, broken := range []string{"", "{", `{"version":2}`, `{"version":1,"lastUsed":{"A":"yesterday"}}`} {
		if uses, err := identity.FormerUses(file(t, 0o600, broken)); err == nil {
			t.Errorf("FormerUses() of %q = %v, want an error", broken, uses)
		}
	}
	if _, err := identity.FormerUses(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("FormerUses() of no file: %v", err)
	}
}

// Files of releases that wrote no dates are read, and stay unchanged.
func TestKeysWithoutDates(t *testing.T) {
	path := file(t, 0o600, `{"version":1,"keys":[{"accessKeyId":"AKIDEXAMPLE","secretAccessKey":"s","principal":"arn:aws:iam::123456789012:user/ann","policies":"full-access"}]}`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list := open(t, path).List()
	if len(list) != 1 || !list[0].FullAccess || !list[0].Made.IsZero() || !list[0].LastUsed.IsZero() || !list[0].Expires.IsZero() {
		t.Errorf("List() = %d keys, the first with dates; want one with none", len(list))
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("opening the file changed it to %s (%v)", after, err)
	}
}
