package nodes_test

import (
	"fmt"
	"sync"
	"time"

	"github.com/muster-iot/muster/device"
)

// book is what clients were answered, and what of that contradicts itself. Its methods may be called by many goroutines.
type book struct {
	mu         sync.Mutex
	answers    int
	executions map[execution]state
	jobs       map[string]*jobState
	ends       []ending // of executions, in the order of the answers
	faults     []string
}

// execution names one.
type execution struct {
	thing, job string
	number     int64
}

// state is the last answer about an execution.
type state struct {
	status  device.Status
	version int64
	ended   bool // the device has told its end, or was told it
}

// jobState is what operators were answered about a job.
type jobState struct {
	canceled time.Time // when the answer came; zero: it was not canceled
}

func newBook() *book {
	return &book{executions: map[execution]state{}, jobs: map[string]*jobState{}}
}

func (b *book) fault(format string, args ...any) {
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

// given notes that a device was given an execution, after it had asked at an instant.
func (b *book) given(x execution, version int64, asked time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers++
	last, known := b.executions[x]
	switch {
	case last.ended:
		b.fault("%v was given to its device again, at version %d, after it had ended at version %d", x, version, last.version)
	case known && version <= last.version:
		b.fault("%v was given at version %d, after version %d", x, version, last.version)
	}
	if j := b.jobs[x.job]; !known && j != nil && !j.canceled.IsZero() && asked.After(j.canceled) {
		b.fault("%v was started %v after the cancellation of its job was answered", x, asked.Sub(j.canceled))
	}
	b.executions[x] = state{status: device.InProgress, version: version}
}

// reported notes that a report was accepted.
func (b *book) reported(x execution, status device.Status, version int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers++
	last := b.executions[x]
	switch {
	case last.ended:
		b.fault("%v took the report %s, at version %d, after it had ended at version %d", x, status, version, last.version)
	case version <= last.version:
		b.fault("%v took the report %s at version %d, after version %d", x, status, version, last.version)
	}
	b.executions[x] = state{status, version, status != device.InProgress}
	if status != device.InProgress {
		b.ends = append(b.ends, ending{x.thing, x.job, status})
	}
}

// over notes that the service has ended an execution.
func (b *book) over(x execution) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers++
	last := b.executions[x]
	last.ended, last.status = true, ""
	b.executions[x] = last
}

// created notes that a job was created.
func (b *book) created(job string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers++
	b.jobs[job] = &jobState{}
}

// canceled notes that the cancellation of a job was answered.
func (b *book) canceled(job string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers++
	b.jobs[job].canceled = time.Now()
}

// count returns how many answers there were.
func (b *book) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.answers
}
