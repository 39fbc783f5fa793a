package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Bounds of what is kept decoded: 4,096 jobs are at most about 16 MB, and 2,048
// documents with their records at most 128 MB.
const (
	decodedJobsMax      = 4096
	decodedDocumentsMax = 2048
)

// decodedCache keeps what the records of a table decode to. An entry counts only
// for the very bytes that it was made of, and those are read from the snapshot
// or the transaction at hand each time. So it is right for every reader: it
// cannot be older or newer than what else the reader sees, nor rest on what is
// not durable, and a transaction that is undone may fill it. What it hands out
// is shared and must not be changed.
type decodedCache[T any] struct {
	table store.Of[T]
	limit int // entries

	mu      sync.RWMutex
	entries map[string]decoded[T]
}

type decoded[T any] struct {
	record []byte
	value  *T
}

func newDecodedCache[T any](table store.Of[T], limit int) *decodedCache[T] {
	return &decodedCache[T]{table: table, limit: limit, entries: map[string]decoded[T]{}}
}

// get returns the value under key as r has it, or nil when there is none.
func (c *decodedCache[T]) get(r store.Reader, key string) (*T, error) {
	record, err := r.Get(c.table.Table, key)
	if err != nil || record == nil {
		return nil, err
	}
	c.mu.RLock()
	known := c.entries[key]
	c.mu.RUnlock()
	if bytes.Equal(known.record, record) {
		return known.value, nil
	}
	value, err := c.table.Decode(key, record)
	if err != nil {
		return nil, err
	}
	c.put(key, decoded[T]{record, value})
	return value, nil
}

// put remembers an entry, in place of some other one when the cache is full;
// which one does not matter much, since what is in use comes back at once.
func (c *decodedCache[T]) put(key string, d decoded[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.entries[key]; !known && len(c.entries) >= c.limit {
		for other := range c.entries {
			delete(c.entries, other)
			break
		}
	}
	c.entries[key] = d
}

// CheckShared returns an error when a value that was handed out to be shared has been
// changed: it decodes again what the caches hold. It is for tests, after the last
// command.
func (s *Jobs) CheckShared() error {
	return errors.Join(s.decoded.unchanged(), s.documents.unchanged())
}

func (c *decodedCache[T]) unchanged() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for key, entry := range c.entries {
		fresh, err := c.table.Decode(key, entry.record)
		if err != nil || !reflect.DeepEqual(fresh, entry.value) {
			return fmt.Errorf("what is shared of %s %q was changed: %+v, and its record says %+v (%w)", c.table.Table, key, entry.value, fresh, err)
		}
	}
	return nil
}

// jobReader reads a snapshot or a transaction, and the jobs and the texts of
// their documents as they are in it: snapshot and *transaction are such.
type jobReader interface {
	store.Reader
	job(id muster.JobID) (*muster.Job, error)          // nil when there is none; not to be changed
	document(id muster.JobID) (text string, err error) // "" when the job is gone
}

// snapshot is the jobReader of a view.
type snapshot struct {
	store.Reader
	s *Jobs
}

func (s *Jobs) snapshot(r store.Reader) snapshot { return snapshot{r, s} }

func (s snapshot) job(id muster.JobID) (*muster.Job, error) {
	return s.s.decoded.get(s.Reader, string(id))
}

func (s snapshot) document(id muster.JobID) (string, error) {
	return textOf(s.s.documents.get(s.Reader, string(id)))
}

func textOf(d *jobDocument, err error) (string, error) {
	if err != nil || d == nil {
		return "", err
	}
	return d.Text, nil
}
