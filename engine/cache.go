package engine

import (
	"sync"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// cachedJobsMax bounds the jobs, and the documents, kept in memory: 4,096 jobs
// are 4 MB, and as many documents at most 128 MB.
const cachedJobsMax = 4096

// jobCache keeps jobs and documents that are in use. Only the committer fills
// it, after its transaction is applied, so it is never older than the store.
// What it hands out is shared and must not be changed.
type jobCache struct {
	mu        sync.RWMutex
	jobs      map[muster.JobID]*muster.Job
	documents map[muster.JobID]cachedDocument
}

// cachedDocument is the document of the job that was created at an instant:
// when that is deleted, another may have its name in the same transaction.
type cachedDocument struct {
	text string
	of   muster.Instant
}

func (c *jobCache) init() {
	c.jobs = map[muster.JobID]*muster.Job{}
	c.documents = map[muster.JobID]cachedDocument{}
}

// put takes over the jobs that a transaction changed; nil means deleted.
func (c *jobCache) put(changed map[muster.JobID]*muster.Job) {
	if len(changed) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, j := range changed {
		if j == nil {
			delete(c.jobs, id)
			delete(c.documents, id)
			continue
		}
		makeRoom(c.jobs)
		c.jobs[id] = j
		if c.documents[id].of != j.CreatedAt {
			delete(c.documents, id)
		}
	}
}

// load returns a job for the committer, and remembers it.
func (c *jobCache) load(r store.Reader, id muster.JobID) (*muster.Job, error) {
	j, err := c.peek(r, id)
	if err == nil && j != nil {
		c.mu.Lock()
		if _, ok := c.jobs[id]; !ok {
			makeRoom(c.jobs)
			c.jobs[id] = j
		}
		c.mu.Unlock()
	}
	return j, err
}

// peek returns a job, or nil when there is none.
func (c *jobCache) peek(r store.Reader, id muster.JobID) (*muster.Job, error) {
	c.mu.RLock()
	j := c.jobs[id]
	c.mu.RUnlock()
	if j != nil {
		return j, nil
	}
	return jobs.Get(r, string(id))
}

// document returns the text of a job's document, which never changes while the
// job exists; "" when the job is gone.
func (c *jobCache) document(r store.Reader, id muster.JobID) (string, error) {
	c.mu.RLock()
	known, ok := c.documents[id]
	c.mu.RUnlock()
	if ok {
		return known.text, nil
	}
	d, err := documents.Get(r, string(id))
	if err != nil || d == nil {
		return "", err
	}
	j, err := jobs.Get(r, string(id)) // as the document is, which may be older than the one in memory
	if err != nil || j == nil {
		return d.Text, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if live := c.jobs[id]; live != nil && live.CreatedAt == j.CreatedAt {
		makeRoom(c.documents)
		c.documents[id] = cachedDocument{d.Text, j.CreatedAt}
	}
	return d.Text, nil
}

// known returns a job and its document if both are in memory.
func (c *jobCache) known(id muster.JobID) (j *muster.Job, text string, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	j = c.jobs[id]
	d, ok := c.documents[id]
	return j, d.text, ok && j != nil
}

// makeRoom drops some entry of a full cache; which one does not matter much,
// since what is in use comes back at once.
func makeRoom[T any](m map[muster.JobID]T) {
	if len(m) < cachedJobsMax {
		return
	}
	for id := range m {
		delete(m, id)
		return
	}
}
