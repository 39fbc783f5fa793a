package audit

import (
	"context"

	"github.com/muster-iot/muster/store"
)

// Take keeps records that were written outside of the store, of what was done to a data folder by hand. Of several records of one
// request, which have the same instant, one with an outcome counts. It may be given the same ones again.
func (l *Log) Take(ctx context.Context, records []Record) error {
	if l.off() {
		return nil
	}
	err := store.Update(ctx, l.store, func(tx store.Tx) error {
		for _, r := range records {
			key := keyOf(r.At, text(r.RequestID, nameMax))
			was, err := tables.records.Get(tx, key)
			if err != nil {
				return err
			}
			if was != nil && was.Outcome != Begun {
				continue
			}
			if err := put(tx, was, r.bounded(was)); err != nil {
				return err
			}
		}
		return nil
	})
	for _, r := range records {
		l.commits.WorkDue(r.At.Add(countedAfter))
	}
	return err
}

// bounded returns a record that came from outside, within the bounds of a record. What finds a record stays as it was.
func (r Record) bounded(was *Record) Record {
	b := Record{
		At: r.At, RequestID: text(r.RequestID, nameMax), AccessKeyID: text(r.AccessKeyID, nameMax), User: text(r.User, nameMax), Address: text(r.Address, nameMax),
		Service: text(r.Service, nameMax), Operation: text(r.Operation, nameMax),
	}
	b.name(r.Resources)
	if was != nil {
		b = *was
	}
	b.Outcome, b.Error, b.Message = r.Outcome, text(r.Error, nameMax), text(r.Message, messageMax)
	b.Changes, b.MoreChanges = nil, 0
	b.change(r.Changes)
	return b
}
