package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Uses keeps when access keys were last used.
type Uses interface {
	// LastUses returns what was kept, by access key id.
	LastUses(ctx context.Context) (map[string]time.Time, error)
	// KeepLastUses keeps, durably, when the keys that there are were last used, the zero
	// time for never. Of two times for a key the later one stays; keys that are not in now
	// may be forgotten.
	KeepLastUses(ctx context.Context, now map[string]time.Time) error
}

// usage is when each access key was last used, to the minute; zero for never.
type usage map[string]time.Time

// readUsage returns what was kept. If that cannot be read it is logged and
// ignored, since nothing is decided by it.
func (k *Keys) readUsage() usage {
	if k.o.Used == nil {
		return usage{}
	}
	used, err := k.o.Used.LastUses(context.Background())
	if err != nil {
		k.o.Log.Warn("when access keys were last used cannot be read", "error", err)
	}
	return used
}

// usage returns when each key was last used, from what was kept and from the requests
// since. The caller holds mu.
func (k *Keys) usage() usage {
	now := usage{}
	for id, l := range k.live {
		now[id] = k.used[id]
		if s := l.used.Load(); s > 0 {
			now[id] = time.Unix(s, 0).UTC().Truncate(time.Minute)
		}
	}
	return now
}

// writeUsage keeps when the keys were last used, if that has changed. Requests go on
// meanwhile, so it does not hold mu.
func (k *Keys) writeUsage(ctx context.Context) {
	if k.o.Used == nil {
		return
	}
	k.mu.RLock()
	now := k.usage()
	same := maps.EqualFunc(now, k.used, time.Time.Equal)
	k.mu.RUnlock()
	if same {
		return
	}
	if err := k.o.Used.KeepLastUses(ctx, now); err != nil {
		k.o.Log.Warn("when access keys were last used could not be noted", "error", err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used = now
}

// FormerUses returns what former releases noted about the last use of keys, in a file of its
// own. Its error wraps fs.ErrNotExist when there is no such file.
func FormerUses(path string) (map[string]time.Time, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Version  int
		LastUsed map[string]time.Time
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("%s: version %d is not known, only 1 is", path, file.Version)
	}
	return file.LastUsed, nil
}
