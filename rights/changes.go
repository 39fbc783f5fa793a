package rights

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// On a store that several processes share, each transaction that changes rights leaves a record
// of whose. A process that may have missed the news of another one reads these, since to look
// up the rights of all its devices again would take seconds, and more often than not nothing has changed.

// changesKept is how long such records are kept. Who has not read them for longer takes all rights
// to be different.
const changesKept = 10 * time.Minute

// changesAtATime bounds the records that one transaction removes.
const changesAtATime = 256

// changesOf is the key of what a transaction has changed.
type changesOf struct{ of *Rights }

// note has a change recorded at the end of the transaction.
func (s *Rights) note(tx *commit.Tx, c *Change) {
	if s.shared == nil {
		return
	}
	noted, _ := commit.OfTransaction(tx, changesOf{s}, func() (*[]*Change, error) {
		all := new([]*Change)
		tx.Close(func() error { return record(tx, *all) })
		return all, nil
	})
	*noted = append(*noted, c)
}

// record writes down what the commands of a transaction have changed. Its key is not that of
// any other transaction, so that these need not wait for each other.
func record(tx *commit.Tx, noted []*Change) error {
	var all Change
	for _, c := range noted {
		all.add(*c)
	}
	if !all.Any() { // the commands failed before they wrote anything
		return nil
	}
	moment, err := tx.Tx.(store.Timed).Moment()
	if err != nil {
		return err
	}
	tables.changes.Put(tx, store.JoinKey(momentKey(moment), rand.Text()), all)
	return nil
}

func momentKey(m store.Moment) string { return store.TimeKey(muster.Instant(m)) }

func (c *Change) add(o Change) {
	if c.All = c.All || o.All; c.All {
		c.Certificates, c.Things = nil, nil
		return
	}
	c.Certificates = append(c.Certificates, o.Certificates...)
	c.Things = append(c.Things, o.Things...)
}

// Any reports whether rights may be different at all.
func (c Change) Any() bool { return c.All || len(c.Certificates)+len(c.Things) > 0 }

// ChangesSince returns whose rights may have changed since the call, of this process, that
// returned since, and the moment for the next call. With zero, or one of long ago, these are
// all. It is for a store that several processes share.
func (s *Rights) ChangesSince(ctx context.Context, since store.Moment) (Change, store.Moment, error) {
	next, err := s.shared.Settled(ctx)
	if err != nil {
		return Change{}, since, err
	}
	if since == 0 || next-since > store.Moment(changesKept.Microseconds()/2) {
		return Change{All: true}, next, nil
	}
	var all Change
	err = s.commits.View(ctx, func(r store.Reader) error {
		all = Change{}
		for row, err := range tables.changes.Scan(r, momentKey(since), "") {
			if err != nil {
				return err
			}
			all.add(row.Value)
		}
		return nil
	})
	if err != nil {
		return Change{}, since, err
	}
	return all, next, nil
}

// ForgetChanges removes records that are kept no longer.
func (s *Rights) ForgetChanges(ctx context.Context) error {
	settled, err := s.shared.Settled(ctx)
	if err != nil {
		return err
	}
	before := momentKey(settled - store.Moment(changesKept.Microseconds()))
	for more := true; more && err == nil; {
		more, err = commit.Do(ctx, s.commits, func(tx *commit.Tx) (bool, error) {
			n := 0
			for row, err := range tables.changes.Scan(tx, "", before) {
				if err != nil {
					return false, err
				}
				if tables.changes.Delete(tx, row.Key); n == changesAtATime {
					return true, nil
				}
				n++
			}
			return false, nil
		})
	}
	return err
}
