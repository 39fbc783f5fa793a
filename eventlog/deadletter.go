package eventlog

import (
	"context"
	"strconv"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/store"
)

// DeadLettersMax bounds the dead letters that are kept; the oldest are removed first.
const DeadLettersMax = 100_000

// deadLetterTally is the key in store.Tallies of the number of dead letters.
const deadLetterTally = "dead-letters"

// lettersStep bounds the dead letters that one transaction clears.
const lettersStep = 128

// DeadLetter is an event that could not be delivered to the webhook. It is kept until an
// operator calls Replay or Forget.
type DeadLetter struct {
	Event
	GivenUp  muster.Instant // when the webhook gave up
	Attempts int            // deliveries tried by the process that gave up
	Why      string         // the result of the last attempt
}

// GiveUp makes dead letters of events that Events returned for the webhook, in one
// transaction, and fills in GivenUp. The webhook is done with these events then. What is
// a dead letter already stays as it is.
func (l *Log) GiveUp(ctx context.Context, letters []DeadLetter) error {
	return l.commits.Do(ctx, func(tx *commit.Tx) error {
		n, err := store.Tally(tx, deadLetterTally)
		if err != nil {
			return err
		}
		for _, d := range letters {
			if waits, err := tables.webhook.Has(tx, d.Place); err != nil {
				return err
			} else if !waits {
				continue
			}
			tables.webhook.Delete(tx, d.Place)
			d.GivenUp = tx.Now
			tables.letters.Put(tx, d.Place, d)
			n++
		}
		for row, err := range tables.letters.Scan(tx, "", "") {
			if err != nil {
				return err
			}
			if n <= DeadLettersMax {
				break
			}
			tables.letters.Delete(tx, row.Key)
			n--
		}
		store.Tallies.Put(tx, deadLetterTally, n)
		return nil
	})
}

// DeadLetters returns dead letters, oldest first, at most limit of them, with places
// after the place after; "" means from the first. A number is a place of former formats,
// which callers may have kept. It fails with Invalid if after is no place.
func (l *Log) DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error) {
	if number, err := strconv.ParseUint(after, 10, 64); err == nil {
		after = formerPlace(number)
	}
	if after != "" && !placeForm.MatchString(after) {
		return nil, muster.Errorf(muster.Invalid, "%q comes from no page of dead letters", after)
	}
	var letters []DeadLetter
	err := l.commits.View(ctx, func(r store.Reader) error {
		for row, err := range tables.letters.Scan(r, store.After(after), "") {
			if err != nil {
				return err
			}
			if len(letters) == limit {
				break
			}
			row.Value.Place = row.Key
			letters = append(letters, row.Value)
		}
		return nil
	})
	return letters, err
}

// Replay moves dead letters to the end of the log, from where they are delivered to the
// webhook again, with their old IDs: those with the given IDs, or all if there are none.
// It returns how many were moved, also with an error.
func (l *Log) Replay(ctx context.Context, ids []string) (int, error) {
	return l.clearLetters(ctx, ids, func(tx *commit.Tx, d DeadLetter) error { return l.record(tx, d.Event, 1<<Webhook) })
}

// Forget removes dead letters: those with the given IDs, or all if there are none. It
// returns how many were removed, also with an error.
func (l *Log) Forget(ctx context.Context, ids []string) (int, error) {
	return l.clearLetters(ctx, ids, func(*commit.Tx, DeadLetter) error { return nil })
}

// clearLetters removes dead letters in several transactions and calls each for every one,
// in the transaction that removes it. An empty ids means all that there are now.
func (l *Log) clearLetters(ctx context.Context, ids []string, each func(*commit.Tx, DeadLetter) error) (int, error) {
	chosen := map[string]bool{}
	for _, id := range ids {
		chosen[id] = true
	}
	end, err := commit.Do(ctx, l.commits, l.next) // replayed letters that are given up again come after it and are left alone
	if err != nil {
		return 0, err
	}
	cleared := 0
	for after := ""; ; {
		letters, err := l.DeadLetters(ctx, after, lettersStep)
		if err != nil || len(letters) == 0 || letters[0].Place > end {
			return cleared, err
		}
		after = letters[len(letters)-1].Place
		n, err := commit.Do(ctx, l.commits, func(tx *commit.Tx) (int, error) { return clearLetters(tx, letters, chosen, each) })
		if err != nil {
			return cleared, err
		}
		cleared += n
	}
}

// clearLetters is one transaction of Log.clearLetters. It returns how many letters it
// removed.
func clearLetters(tx *commit.Tx, letters []DeadLetter, chosen map[string]bool, each func(*commit.Tx, DeadLetter) error) (int, error) {
	n := 0
	for _, l := range letters {
		if len(chosen) > 0 && !chosen[l.ID] {
			continue
		}
		if there, err := tables.letters.Has(tx, l.Place); err != nil || !there {
			return n, err // another call has removed it
		}
		tables.letters.Delete(tx, l.Place)
		if err := each(tx, l); err != nil {
			return n, err
		}
		n++
	}
	left, err := store.Tally(tx, deadLetterTally)
	if n > 0 {
		store.Tallies.Put(tx, deadLetterTally, left-n)
	}
	return n, err
}
