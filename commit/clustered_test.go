package commit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
	"github.com/muster-iot/muster/store/memstore"
	"github.com/muster-iot/muster/store/storetest"
)

// clustered returns a store that other processes may change.
func clustered() *storetest.Process {
	return storetest.NewSite(memstore.New(), time.Now, 2, 1, time.Millisecond).Join()
}

func nowAt(skew time.Duration) func() muster.Instant {
	return func() muster.Instant { return muster.Instant(time.Now().Add(skew).UnixMilli()) }
}

// askedAt is a Source that notes when it is asked.
type askedAt struct{ now muster.Instant }

func (*askedAt) Wants(*Wants) {}

func (s *askedAt) Due(_ store.Reader, asked Asked) (Due, error) {
	s.now = asked.Now
	return Due{}, nil
}

func TestTheTimeIsThatOfASharedStore(t *testing.T) {
	for _, skew := range []time.Duration{2 * time.Minute, -2 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			c := New(Options{Store: clustered(), Now: nowAt(skew)})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			near := func(what string, got muster.Instant) {
				t.Helper()
				if off := got - nowAt(0)(); off < -10 || off > 1 {
					t.Errorf("with a clock that is %v ahead, %s is %d ms off", skew, what, off)
				}
			}
			var work askedAt
			if _, err := c.Work(ctx, nil, &work); err != nil {
				t.Fatal(err)
			}
			near("the first work", work.now)
			near("Now", c.Now())
			at, err := Do(ctx, c, func(tx *Tx) (muster.Instant, error) { return tx.Now, nil })
			if err != nil {
				t.Fatal(err)
			}
			near("a transaction", at)
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// goingBack is a shared store whose clock is set back after each transaction.
type goingBack struct {
	*storetest.Process
	moment store.Moment
}

func (s *goingBack) Apply(ctx context.Context, fn func(store.Tx) error) (func() error, error) {
	s.moment -= 1_000_000
	return s.Process.Apply(ctx, func(tx store.Tx) error { return fn(timedTx{tx, s.moment}) })
}

type timedTx struct {
	store.Tx
	moment store.Moment
}

func (t timedTx) Moment() (store.Moment, error) { return t.moment, nil }

func TestTheTimeOfALaneNeverFalls(t *testing.T) {
	c := running(t, Options{Store: &goingBack{Process: clustered(), moment: 5_000_000}})
	for n := range 3 {
		type times struct {
			now    muster.Instant
			moment store.Moment
		}
		got, err := Do(context.Background(), c, func(tx *Tx) (times, error) { return times{tx.Now, tx.Moment}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if want := (times{4000, 4_000_000}); got != want {
			t.Errorf("transaction %d is at %+v, want %+v", n, got, want)
		}
	}
}

func TestRevisionsOfASharedStoreNeedNoMemory(t *testing.T) {
	site := storetest.NewSite(memstore.New(), time.Now, 2, 1, time.Millisecond)
	first, second := running(t, Options{Store: site.Join()}), running(t, Options{Store: site.Join()})
	key, last := store.QueueKey{Thing: "pump"}, int64(0)
	for n := range 6 {
		c := []*Committer{first, second}[n%2]
		rev, err := Do(context.Background(), c, func(tx *Tx) (int64, error) {
			q, err := tx.Queue(key)
			if err != nil {
				return 0, err
			}
			if len(q.Entries) > 0 { // it is emptied, and comes again
				q.Entries = nil
			} else {
				q = q.With(muster.Execution{Thing: "pump", Job: "job", Number: 1, Status: muster.Queued, QueuedAt: 1})
			}
			tx.PutQueue(q)
			q, err = tx.Queue(key)
			return q.Rev, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if rev <= last {
			t.Errorf("revision %d comes after %d", rev, last)
		}
		last = rev
	}
}
