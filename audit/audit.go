package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/listing"
	"github.com/muster-iot/muster/store"
)

// Settings are what a deployment decides of its records.
type Settings struct {
	// Days is how long records are kept, to the hour. Zero keeps none, and removes those that there are.
	Days int
	// Max bounds the records, with what they are found by, in bytes; the oldest are removed first. Zero is no bound.
	Max int64
	// HideAddresses leaves the addresses of clients out.
	HideAddresses bool
}

// keep returns how long records are kept.
func (s Settings) keep() time.Duration { return time.Duration(s.Days) * 24 * time.Hour }

// Options are the parts of a Log. Store and Commits are required.
type Options struct {
	Settings
	Store   store.Store
	Commits *commit.Committer
	Pages   listing.Pager
	// Shown says what records show of the tables that requests change.
	Shown []Shown
	// Events is told of each record within seconds, and again if the record changes later. Nil is allowed.
	Events Events
	// Log is told once when the oldest records are removed for Max, and when attempts are left out. Nil discards that.
	Log *slog.Logger
}

// Events has receivers told of records.
type Events interface {
	// Wanted reports whether there is a receiver, at this point of the transaction.
	Wanted(*commit.Tx) (bool, error)
	// Tell has receivers told of the record of a request: its Entry in JSON.
	Tell(tx *commit.Tx, requestID string, entry []byte) error
}

// Log is the audit records of a store. Make it with New. It may be used by many goroutines. A nil Log records nothing.
type Log struct {
	settings Settings
	store    store.Store
	commits  *commit.Committer
	pages    listing.Pager
	shown    map[store.Table]Shown
	events   Events
	log      *slog.Logger

	warned  sync.Once // of records that were removed for Settings.Max
	refused attempts
	counted counted
}

// New returns a Log on o.
func New(o Options) *Log {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{settings: o.Settings, store: o.Store, commits: o.Commits, pages: o.Pages, shown: map[store.Table]Shown{}, events: o.Events, log: o.Log}
	for _, s := range o.Shown {
		l.shown[s.table] = s
	}
	l.refused.kept = map[sameness]*attempt{}
	return l
}

// off reports whether nothing is recorded.
func (l *Log) off() bool { return l == nil || l.settings.Days == 0 }

// Attempt is a request that may change something: what its edge knows of it. Resources may be filled in until its
// first command runs.
type Attempt struct {
	RequestID   string // different for each request
	AccessKeyID string
	User        string
	Address     string
	Service     string
	Operation   string
	Resources   []string
}

// record returns the record of the attempt at an instant, with all that came from the client bounded.
func (l *Log) record(a Attempt, at muster.Instant, o Outcome) Record {
	r := Record{
		At: at, RequestID: a.RequestID, AccessKeyID: text(a.AccessKeyID, nameMax), User: text(a.User, nameMax), Address: text(a.Address, nameMax),
		Service: a.Service, Operation: text(a.Operation, nameMax), Outcome: o,
	}
	if l.settings.HideAddresses {
		r.Address = ""
	}
	r.name(a.Resources)
	return r
}

type trailKey struct{}

// Witnessed returns a context for the request of a: each transaction that changes something with it has a record of
// that, the same one for all. These are the commands of commit.Do, and transactions that call Record.
func (l *Log) Witnessed(ctx context.Context, a *Attempt) context.Context {
	if l.off() {
		return ctx
	}
	t := &trail{log: l, attempt: a, at: l.commits.Now()}
	return commit.Witnessed(context.WithValue(ctx, trailKey{}, t), t)
}

// Wrote writes the record of the request that ctx belongs to into a transaction that is no command (commit.Do), if the
// request is witnessed.
func Wrote(ctx context.Context, tx store.Records) error {
	t, ok := ctx.Value(trailKey{}).(*trail)
	if !ok {
		return nil
	}
	return t.write(tx, nil)
}

// trail is the witness of one request.
type trail struct {
	log     *Log
	attempt *Attempt
	at      muster.Instant // when the request began
}

// key returns that of the record.
func (t *trail) key() string { return keyOf(t.at, t.attempt.RequestID) }

// Wants implements commit.Witness.
func (t *trail) Wants(w *commit.Wants) { w.Record(tables.records.Table, t.key()) }

// Sees implements commit.Witness.
func (t *trail) Sees(table store.Table) bool {
	_, shown := t.log.shown[table]
	return shown
}

// Testify implements commit.Witness.
func (t *trail) Testify(tx *commit.Tx, wrote []commit.Write) error {
	changes, err := t.log.changes(wrote)
	if err != nil {
		return err
	}
	if err := t.write(tx, changes); err != nil {
		return err
	}
	tx.Wake(tx.Now.Add(countedAfter))
	return nil
}

// write writes the record of the request, or adds to that of its earlier transactions.
func (t *trail) write(tx store.Records, changes []Change) error {
	was, err := tables.records.Get(tx, t.key())
	if err != nil {
		return err
	}
	r := t.log.record(*t.attempt, t.at, Done)
	if was != nil {
		r.change(was.Changes)
		r.MoreChanges += was.MoreChanges
	}
	r.change(changes)
	if was != nil && len(changes) == 0 && len(r.Resources) == len(was.Resources) {
		return nil // the record says it already
	}
	return put(tx, was, r)
}

// Ended is called after a request that may have called Wrote.
func (l *Log) Ended() {
	if !l.off() {
		l.commits.WorkDue(l.commits.Now().Add(countedAfter))
	}
}

// Intent is a change that has no transaction in the store: its record is written before it, and its outcome after.
type Intent struct {
	log    *Log
	record Record
}

// Begin writes the record of a change that is about to be made outside of the store. Until its End it is shown with the
// outcome Begun. It works also while nothing runs the commands of the store, as in a folder that is not served.
func (l *Log) Begin(ctx context.Context, a Attempt) (Intent, error) {
	if l.off() {
		return Intent{}, nil
	}
	i := Intent{l, l.record(a, l.commits.Now(), Begun)}
	return i, i.put(ctx)
}

// End writes the outcome of the change, with what it has changed. reason is empty unless it has failed: the name of the error,
// and its message.
func (i Intent) End(ctx context.Context, o Outcome, reason, message string, changes ...Change) error {
	if i.log.off() {
		return nil
	}
	i.record.Outcome, i.record.Error, i.record.Message = o, text(reason, nameMax), text(message, messageMax)
	i.record.change(changes)
	return i.put(ctx)
}

func (i Intent) put(ctx context.Context) error {
	err := store.Update(ctx, i.log.store, func(tx store.Tx) error {
		was, err := tables.records.Get(tx, keyOf(i.record.At, i.record.RequestID))
		if err != nil {
			return err
		}
		return put(tx, was, i.record)
	})
	i.log.commits.WorkDue(i.record.At.Add(countedAfter))
	return err
}
