package engine

import (
	"context"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// DeadLettersMax bounds the dead letters that are kept; the oldest make room.
const DeadLettersMax = 100_000

// deadLetterTally is the key in tallies of how many dead letters there are.
const deadLetterTally = "dead-letters"

// DeadLetter is an event that the webhook would not take. It is kept until an
// operator has it sent again, or forgets it.
type DeadLetter struct {
	Happening
	GivenUp  muster.Instant // when
	Attempts int            // in the life of the process that gave it up
	Why      string         // what became of the last attempt
}

// GiveUp makes dead letters of events that Events handed to the webhook, and
// notes that it is done with all up to a place.
func (e *Engine) GiveUp(ctx context.Context, letters []DeadLetter, through uint64) error {
	return e.do(ctx, func(b *batch) error {
		n, err := tally(b, deadLetterTally)
		if err != nil {
			return err
		}
		for _, l := range letters {
			l.GivenUp = b.Now
			deadLetters.Put(b, placeKey(l.Place), l)
		}
		n += len(letters)
		for row, err := range deadLetters.Scan(b, "", "") {
			if err != nil {
				return err
			}
			if n <= DeadLettersMax {
				break
			}
			deadLetters.Delete(b, row.Key)
			n--
		}
		tallies.Put(b, deadLetterTally, n)
		return b.taken(Webhook, through)
	})
}

// DeadLetters lists dead letters, oldest first, at most most of them and behind
// the place after.
func (e *Engine) DeadLetters(ctx context.Context, after uint64, most int) ([]DeadLetter, error) {
	var letters []DeadLetter
	err := e.view(ctx, func(r store.Reader) error {
		for row, err := range deadLetters.Scan(r, placeKey(after+1), "") {
			if err != nil {
				return err
			}
			if len(letters) == most {
				break
			}
			row.Value.Place = placeIn(row.Key)
			letters = append(letters, row.Value)
		}
		return nil
	})
	return letters, err
}

// Replay has dead letters sent once more, as the newest events with their old
// IDs: those of the given IDs, or all. It returns how many there were.
func (e *Engine) Replay(ctx context.Context, ids []string) (int, error) {
	return e.clearLetters(ctx, ids, func(b *batch, l DeadLetter) error { return b.record(l.Happening, 1<<Webhook) })
}

// Forget removes dead letters for good: those of the given IDs, or all. It
// returns how many there were.
func (e *Engine) Forget(ctx context.Context, ids []string) (int, error) {
	return e.clearLetters(ctx, ids, func(*batch, DeadLetter) error { return nil })
}

// clearLetters removes dead letters in steps and does with each what is to be
// done, in the same transaction. An empty ids means all that there are now.
func (e *Engine) clearLetters(ctx context.Context, ids []string, each func(*batch, DeadLetter) error) (int, error) {
	chosen := map[string]bool{}
	for _, id := range ids {
		chosen[id] = true
	}
	var newest uint64 // what is given up again meanwhile is left alone
	if err := e.view(ctx, func(r store.Reader) error {
		m, err := readMarks(r)
		newest = m.Last
		return err
	}); err != nil {
		return 0, err
	}
	cleared := 0
	for after := uint64(0); ; {
		letters, err := e.DeadLetters(ctx, after, stepMax)
		if err != nil || len(letters) == 0 || letters[0].Place > newest {
			return cleared, err
		}
		after = letters[len(letters)-1].Place
		n, err := do(ctx, e, func(b *batch) (int, error) { return b.clearLetters(letters, chosen, each) })
		if err != nil {
			return cleared, err
		}
		cleared += n
	}
}

func (b *batch) clearLetters(letters []DeadLetter, chosen map[string]bool, each func(*batch, DeadLetter) error) (int, error) {
	n := 0
	for _, l := range letters {
		if len(chosen) > 0 && !chosen[l.ID] {
			continue
		}
		if there, err := deadLetters.Has(b, placeKey(l.Place)); err != nil || !there {
			return n, err // somebody else was quicker
		}
		deadLetters.Delete(b, placeKey(l.Place))
		if err := each(b, l); err != nil {
			return n, err
		}
		n++
	}
	left, err := tally(b, deadLetterTally)
	if n > 0 {
		tallies.Put(b, deadLetterTally, left-n)
	}
	return n, err
}

// tally returns what is counted under a key; nothing yet is zero.
func tally(r store.Reader, key string) (int, error) {
	n, err := tallies.Get(r, key)
	if err != nil || n == nil {
		return 0, err
	}
	return *n, nil
}
