package audit

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
)

// Attempts that were refused change nothing, so their records have no transaction that they belong to. They are gathered here
// and written by background work: a crash loses those of the last second. Equal ones within a minute are one
// record with a count. The number of different ones is bounded, so nobody can fill the store or the memory.
const (
	attemptsMax   = 1000
	attemptLife   = time.Minute // within which an equal one is counted
	attemptsAfter = time.Second // the wait for more before some are written
	attemptsStep  = 128         // written in one transaction
)

// sameness is what equal attempts have in common.
type sameness struct{ principal, operation, resources, reason string }

// attempt is the record of equal attempts.
type attempt struct {
	record Record
	waits  bool // there are some that are not written
}

// attempts are those of the last minute, and older ones that wait. The zero attempts needs its map.
type attempts struct {
	mu     sync.Mutex
	kept   map[sameness]*attempt
	left   int64 // attempts for which there was no room
	leaves bool  // since there was room last
}

// Refused gathers an attempt that was refused, by policy (Refused) or by the rules of the service (Failed), for the reason that
// is the name of its error. If the request is witnessed in ctx and has changed something before that,
// its record is Done with that error.
func (l *Log) Refused(ctx context.Context, a Attempt, o Outcome, reason, message string) {
	if l.off() {
		return
	}
	now := l.commits.Now()
	r := l.record(a, now, o)
	if t, ok := ctx.Value(trailKey{}).(*trail); ok {
		r.At = t.at
	}
	r.Error, r.Message = text(reason, nameMax), text(message, messageMax)
	if first, left := l.refused.add(r); left {
		if first {
			l.log.Warn("there are too many different refused requests: some are left out of the audit records", "kept", attemptsMax)
		}
		return
	}
	l.commits.WorkDue(now.Add(attemptsAfter))
}

// add gathers a record. It reports whether it was left out, and whether that is the first one since there was room.
func (t *attempts) add(r Record) (first, left bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	same := sameness{r.AccessKeyID + "\x00" + r.User, r.Service + "\x00" + r.Operation, strings.Join(r.Resources, "\x00"), r.Error}
	if old := t.kept[same]; old != nil && r.At < old.record.At.Add(attemptLife) && r.At >= old.record.At {
		old.record.Count = max(old.record.Count, 1) + 1
		old.waits = true
		return false, false
	}
	if len(t.kept) >= attemptsMax {
		t.forget(r.At)
	}
	if len(t.kept) >= attemptsMax {
		first, t.leaves = !t.leaves, true
		t.left++
		return first, true
	}
	t.leaves = false
	for t.kept[same] != nil { // it is older, and may wait still
		same.reason += " "
	}
	t.kept[same] = &attempt{record: r, waits: true}
	return false, false
}

// forget removes what is written and older than a minute at an instant.
func (t *attempts) forget(now muster.Instant) {
	for same, a := range t.kept {
		if !a.waits && (now >= a.record.At.Add(attemptLife) || now < a.record.At) {
			delete(t.kept, same)
		}
	}
}

// due returns when there are attempts to write: when the earliest one has waited for others. Zero is never.
func (t *attempts) due() (at muster.Instant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.kept {
		if a.waits && (at == 0 || a.record.At.Add(attemptsAfter) < at) {
			at = a.record.At.Add(attemptsAfter)
		}
	}
	return at
}

// batch returns records that wait, the oldest first.
func (t *attempts) batch() (all []Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.kept {
		if a.waits {
			all = append(all, a.record)
		}
	}
	slices.SortFunc(all, func(a, b Record) int { return strings.Compare(countKey(a), countKey(b)) })
	return all
}

// written notes that records are durable.
func (t *attempts) written(all []Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	is := map[string]int{}
	for _, r := range all {
		is[countKey(r)] = r.Count
	}
	now := muster.Instant(0)
	for _, a := range t.kept {
		if count, ok := is[countKey(a.record)]; ok && count == a.record.Count {
			a.waits = false
		}
		now = max(now, a.record.At)
	}
	t.forget(now)
}

// steps returns the steps that write what waits.
func (l *Log) attemptSteps() (steps []func(*commit.Tx) error) {
	for some := range slices.Chunk(l.refused.batch(), attemptsStep) {
		steps = append(steps, func(tx *commit.Tx) error {
			for _, r := range some {
				was, err := tables.records.Get(tx, keyOf(r.At, r.RequestID))
				if err != nil {
					return err
				}
				if was != nil { // of the same request, which has changed something, or the count was lower
					r.Outcome = was.Outcome
					r.Changes, r.MoreChanges = was.Changes, was.MoreChanges
					r.name(was.Resources)
				}
				if err := put(tx, was, r); err != nil {
					return err
				}
			}
			tx.After(func() { l.refused.written(some) })
			return nil
		})
	}
	return steps
}
