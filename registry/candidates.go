package registry

import (
	"iter"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// costMax bounds how many entries of a span are counted to compare it with
// another, and fieldsMax the fields that a term without a field is looked up in.
const (
	costMax   = 128
	fieldsMax = 64
)

// walk is a way through the candidates of a query, and how far one has come.
type walk struct {
	Span   int               `json:",omitempty"`
	After  string            `json:",omitempty"` // the last key of the span or, without spans, the last thing
	Status muster.Status     `json:",omitempty"` // in the span of a job: the executions of this status
	Queued store.Cursor      `json:",omitzero"`  // behind this one
	Spans  []fleetquery.Span `json:",omitempty"` // of the walk; none: all things
}

// candidate is a thing that may match.
type candidate struct {
	thing muster.ThingName  // empty: look further
	at    walk              // to go on behind it
	entry *fleetquery.Entry // where in the index it was found; nil: among all things
}

// coverOf returns where the candidates of a query begin.
func coverOf(r store.Reader, q *fleetquery.Query) (walk, error) {
	var fields []string
	var failed error
	if q.Bare() {
		var ok bool
		if fields, ok, failed = indexedFields(r); failed != nil || !ok {
			return walk{}, failed
		}
	}
	spans, ok := q.Cover(fields, func(s fleetquery.Span) int {
		n, err := cost(r, s)
		if err != nil {
			failed = err
		}
		return n
	})
	if !ok {
		spans = nil
	} else if len(spans) == 0 {
		spans = []fleetquery.Span{{Field: fleetquery.ThingName, To: "\x00"}} // nothing can match
	}
	return walk{Spans: spans}, failed
}

// cost returns how many entries a span holds, and not more than costMax.
func cost(r store.Reader, s fleetquery.Span) (int, error) {
	n := 0
	if job := fleetquery.JobOf(s.Field); job != "" {
		counts, err := r.Counts(muster.JobID(job))
		for _, status := range statusesIn(s) {
			n += int(min(counts.Of(status), costMax))
		}
		return min(n, costMax), err
	}
	from, to := s.Bounds()
	for _, err := range r.Scan(spanTable(s), from, to) {
		if n++; err != nil || n == costMax {
			return n, err
		}
	}
	return n, nil
}

func spanTable(s fleetquery.Span) store.Table {
	return entryTable(fleetquery.Entry{Numbers: s.Numbers}).Table
}

// indexedFields returns the fields that the index has entries of, unless there
// are too many.
func indexedFields(r store.Reader) ([]string, bool, error) {
	var fields []string
	for from := ""; ; {
		found := false
		for row, err := range tables.entries.Scan(r, from, "") {
			if err != nil {
				return nil, false, err
			}
			field := store.SplitKey(row.Key)[0]
			fields, from, found = append(fields, field), field+"\x01", true
			break
		}
		if !found {
			return fields, true, nil
		}
		if len(fields) > fieldsMax {
			return nil, false, nil
		}
	}
}

// statusesIn returns the statuses that lie in the span of a job.
func statusesIn(s fleetquery.Span) []muster.Status {
	var all []muster.Status
	d := fleetquery.Document{}
	for _, status := range muster.Statuses() {
		clear(d)
		d.Add(s.Field, status.String())
		if _, _, ok := d.First([]fleetquery.Span{s}); ok {
			all = append(all, status)
		}
	}
	return all
}

// candidates yields the things behind the place of a walk, one for each
// entry, or all things when there are no spans.
func candidates(r store.Reader, at walk) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		if at.Spans == nil {
			everyThing(r, at, yield)
			return
		}
		for ; at.Span < len(at.Spans); at = (walk{Span: at.Span + 1, Spans: at.Spans}) {
			through := entriesIn
			if fleetquery.JobOf(at.Spans[at.Span].Field) != "" {
				through = executionsIn
			}
			if !through(r, at, yield) {
				return
			}
		}
	}
}

func everyThing(r store.Reader, at walk, yield func(candidate, error) bool) {
	from := ""
	if at.After != "" {
		from = store.After(at.After)
	}
	for row, err := range tables.things.Scan(r, from, "") {
		at.After = row.Key
		if !yield(candidate{thing: muster.ThingName(row.Key), at: at}, err) || err != nil {
			return
		}
	}
}

// entriesIn yields what one span holds and reports whether to go on.
func entriesIn(r store.Reader, at walk, yield func(candidate, error) bool) bool {
	span := at.Spans[at.Span]
	from, to := span.Bounds()
	if at.After != "" {
		from = store.After(at.After)
	}
	for row, err := range r.Scan(spanTable(span), from, to) {
		c := candidate{}
		if err == nil {
			key := store.SplitKey(row.Key)
			at.After = row.Key
			c = candidate{muster.ThingName(key[2]), at, &fleetquery.Entry{Field: key[0], Numbers: span.Numbers, Place: key[1]}}
		}
		if !yield(c, err) || err != nil {
			return false
		}
	}
	return true
}

// executionsIn does the same for the span of a job, of which the store has its
// own index.
func executionsIn(r store.Reader, at walk, yield func(candidate, error) bool) bool {
	span := at.Spans[at.Span]
	for _, status := range statusesIn(span) {
		if status < at.Status {
			continue
		}
		if status > at.Status {
			at.Status, at.Queued = status, store.Cursor{}
		}
		for x, err := range r.ExecutionsOfJob(muster.JobID(fleetquery.JobOf(span.Field)), status, at.Queued) {
			c := candidate{}
			if err == nil {
				var latest *muster.Execution
				latest, err = r.Latest(x.Thing, x.Job)
				at.Queued = store.CursorOf(x)
				c.at = at
				if err == nil && latest != nil && latest.Number == x.Number {
					d := fleetquery.Document{}
					d.Add(span.Field, status.String())
					_, entry, _ := d.First(at.Spans[at.Span : at.Span+1])
					c = candidate{x.Thing, at, &entry}
				}
			}
			if !yield(c, err) || err != nil {
				return false
			}
		}
	}
	return true
}
