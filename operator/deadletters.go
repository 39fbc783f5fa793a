package operator

import (
	"context"

	"github.com/muster-iot/muster"
)

// What a DeadLetterOrder does.
const (
	Replay = "replay"
	Forget = "forget"
)

// DeadLetter is an event that the webhook refused.
type DeadLetter struct {
	Place     string  `json:"-"` // in the list: it sorts like the letters
	ID        string  `json:"eventId"`
	EventType string  `json:"eventType"`
	Operation string  `json:"operation"`
	Time      Instant `json:"time"`     // of the event
	GivenUp   Instant `json:"givenUp"`  // when the last attempt had failed
	Attempts  int     `json:"attempts"` // in the life of the process that gave it up
	Why       string  `json:"why"`      // the last attempt failed
}

// DeadLetterPage is a page of dead letters, oldest first.
type DeadLetterPage struct {
	Letters []DeadLetter `json:"deadLetters"`
	Next    string       `json:"next,omitempty"` // to be given as after; absent on the last page
}

// DeadLetterOrder says what to do with dead letters.
type DeadLetterOrder struct {
	Do  string   `json:"do"`            // Replay or Forget
	IDs []string `json:"ids,omitempty"` // of events; none means all
}

// DeadLetterCount is how many dead letters an order found.
type DeadLetterCount struct {
	Count int `json:"count"`
}

// DeadLetters keeps the events that the webhook refused.
type DeadLetters interface {
	// DeadLetters returns at most limit dead letters after a place, the oldest first; ""
	// is before the first. It fails with Invalid for what is no place.
	DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error)
	// Replay has dead letters sent once more, and Forget removes them: those of the events
	// named, or all when ids is empty. Both return how many there were.
	Replay(ctx context.Context, ids []string) (int, error)
	Forget(ctx context.Context, ids []string) (int, error)
}

const (
	// deadLetterPageMax is how many dead letters a page has.
	deadLetterPageMax = 500
	// deadLetterOrderMax bounds an order, in bytes: some 25,000 ids.
	deadLetterOrderMax = 1 << 20
)

// ListDeadLetters returns the page after the one whose Next is after; "" is for the
// first. It fails with Invalid when after comes from no page.
func ListDeadLetters(ctx context.Context, from DeadLetters, after string) (DeadLetterPage, error) {
	page := DeadLetterPage{Letters: []DeadLetter{}}
	letters, err := from.DeadLetters(ctx, after, deadLetterPageMax)
	page.Letters = append(page.Letters, letters...)
	if len(letters) == deadLetterPageMax {
		page.Next = letters[len(letters)-1].Place
	}
	return page, err
}

// ClearDeadLetters does what an order says. It fails with Invalid when that is neither
// Replay nor Forget.
func ClearDeadLetters(ctx context.Context, of DeadLetters, order DeadLetterOrder) (n DeadLetterCount, err error) {
	switch order.Do {
	case Replay:
		n.Count, err = of.Replay(ctx, order.IDs)
	case Forget:
		n.Count, err = of.Forget(ctx, order.IDs)
	default:
		err = muster.Errorf(muster.Invalid, "\"do\" must be %q or %q", Replay, Forget)
	}
	return n, err
}

func (p Parts) listDeadLetters(ctx context.Context, c *Call, _ none) (DeadLetterPage, error) {
	return ListDeadLetters(ctx, p.DeadLetters, c.Request.URL.Query().Get("after"))
}

func (p Parts) clearDeadLetters(ctx context.Context, _ *Call, order DeadLetterOrder) (DeadLetterCount, error) {
	return ClearDeadLetters(ctx, p.DeadLetters, order)
}
