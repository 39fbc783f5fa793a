package transfer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"iter"
	"slices"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// Section is a part of the content of a store: the records of one table, all queues, or all
// executions.
type Section struct {
	Name   string `json:"name"` // of the table; or "queues", "executions"
	Rows   int    `json:"rows"`
	SHA256 string `json:"sha256"` // of the lines of the rows in their order, in hex
}

// content yields all rows that r shows, in an order that does not depend on the store: the
// records table by table, then the queues and executions thing by thing. Queues come before
// the executions of their thing.
func content(r store.Reader, tables []store.Table) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for _, table := range slices.Sorted(slices.Values(tables)) {
			for record, err := range r.Scan(table, "", "") {
				if !yield(row{table: table, record: record}, err) || err != nil {
					return
				}
			}
		}
		things(r)(yield)
	}
}

// things yields the queues and executions. Both come in the order of things, so it goes
// through them side by side.
func things(r store.Reader) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		next, stop := iter.Pull2(ordered(r.AllQueues()))
		defer stop()
		q, err, more := next()
		// upTo yields the queues of all things up to one.
		upTo := func(last func(muster.Queue) bool) bool {
			for more && last(q) {
				at := q // what was yielded belongs to the loop
				if !yield(row{queue: &at}, err) || err != nil {
					return false
				}
				q, err, more = next()
			}
			return true
		}
		for e, failed := range r.AllExecutions() {
			if !upTo(func(q muster.Queue) bool { return q.Thing <= e.Thing }) || !yield(row{execution: &e}, failed) || failed != nil {
				return
			}
		}
		upTo(func(muster.Queue) bool { return true })
	}
}

// ordered yields queues with those of one thing in the order of their namespaces.
func ordered(all iter.Seq2[muster.Queue, error]) iter.Seq2[muster.Queue, error] {
	return func(yield func(muster.Queue, error) bool) {
		var of []muster.Queue // of one thing
		flush := func() bool {
			slices.SortFunc(of, func(a, b muster.Queue) int { return cmp.Compare(a.Namespace, b.Namespace) })
			for _, q := range of {
				if !yield(q, nil) {
					return false
				}
			}
			of = of[:0]
			return true
		}
		for q, err := range all {
			if (err != nil || len(of) > 0 && of[0].Thing != q.Thing) && !flush() {
				return
			}
			if err != nil {
				yield(q, err)
				return
			}
			of = append(of, q)
		}
		flush()
	}
}

// sums adds up the sections of a content.
type sums map[string]*sum

type sum struct {
	rows int
	hash hash.Hash
}

func (s sums) add(section string, text []byte) {
	of := s[section]
	if of == nil {
		of = &sum{hash: sha256.New()}
		s[section] = of
	}
	of.rows++
	of.hash.Write(text)
}

// sections returns the sections by name.
func (s sums) sections() []Section {
	all := make([]Section, 0, len(s))
	for name, of := range s {
		all = append(all, Section{name, of.rows, hex.EncodeToString(of.hash.Sum(nil))})
	}
	slices.SortFunc(all, func(a, b Section) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// sectionsOf reads all that s shows.
func sectionsOf(ctx context.Context, s store.Store, tables []store.Table) (all []Section, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		found, e := sums{}, newEncoder()
		for row, err := range content(r, tables) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			text, err := e.line(row)
			if err != nil {
				return err
			}
			found.add(row.section(), text)
		}
		all = found.sections()
		return nil
	})
	return all, err
}

// compare returns an error that names a section in which a content differs from what it
// should be.
func compare(got, want []Section) error {
	names := map[string]bool{}
	for _, s := range slices.Concat(want, got) {
		if names[s.Name] {
			continue
		}
		names[s.Name] = true
		is, should := named(got, s.Name), named(want, s.Name)
		switch {
		case is.Rows != should.Rows:
			return fmt.Errorf("it has %d %s instead of %d", is.Rows, s.rowsOf(), should.Rows)
		case is != should:
			return fmt.Errorf("its %s are not the same", s.rowsOf())
		}
	}
	return nil
}

// named returns the section of a name, the zero Section if there is none.
func named(all []Section, name string) Section {
	i := slices.IndexFunc(all, func(s Section) bool { return s.Name == name })
	if i < 0 {
		return Section{}
	}
	return all[i]
}

// rowsOf names the rows in a sentence.
func (s Section) rowsOf() string {
	if s.Name == queues || s.Name == executions {
		return s.Name
	}
	return "records of table " + s.Name
}
