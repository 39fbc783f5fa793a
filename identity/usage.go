package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"
)

// usage is when each access key was last used, to the minute.
type usage map[string]time.Time

// usageFile is the content of KeysOptions.Used, version 1.
type usageFile struct {
	Version  int   `json:"version"`
	LastUsed usage `json:"lastUsed"`
}

// readUsage returns the recorded usage. A file that cannot be read is logged and
// ignored, since nothing is decided by it.
func (k *Keys) readUsage() usage {
	if k.o.Used == "" {
		return usage{}
	}
	data, err := readSmall(k.o.Used)
	if errors.Is(err, fs.ErrNotExist) {
		return usage{}
	}
	var file usageFile
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err == nil && file.Version != 1 {
		err = fmt.Errorf("version %d is not known, only 1 is", file.Version)
	}
	if err != nil {
		k.o.Log.Warn("when access keys were last used cannot be read", "file", k.o.Used, "error", err)
	}
	if err != nil || file.LastUsed == nil {
		return usage{}
	}
	return file.LastUsed
}

// usage returns when each key was last used, from the file and from the requests
// since. The caller holds mu.
func (k *Keys) usage() usage {
	now := usage{}
	for id, l := range k.live {
		at := k.used[id]
		if s := l.used.Load(); s > 0 {
			at = time.Unix(s, 0).UTC().Truncate(time.Minute)
		}
		if !at.IsZero() {
			now[id] = at
		}
	}
	return now
}

// writeUsage records when the keys were last used, if that has changed.
func (k *Keys) writeUsage() {
	if k.o.Used == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.usage()
	if maps.EqualFunc(now, k.used, time.Time.Equal) {
		return
	}
	data, err := json.MarshalIndent(usageFile{1, now}, "", "  ")
	if err == nil {
		err = writePrivate(k.o.Used, append(data, '\n'))
	}
	if err != nil {
		k.o.Log.Warn("when access keys were last used could not be noted", "file", k.o.Used, "error", err)
		return
	}
	k.used = now
}
