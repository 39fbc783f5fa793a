package registry

import (
	"iter"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/commit"
	"github.com/muster-iot/muster/fleetquery"
	"github.com/muster-iot/muster/store"
)

// This file finds the things that may match a query without reading all things. A
// query is covered by spans: ranges of index entries such that every thing that
// matches has an entry in one of them (fleetquery.Query.Cover chooses the cheapest).
// A walk goes through the spans in order. The things found are candidates; the query
// is then evaluated on each.

// costMax bounds the entries that are counted to compare the cost of spans.
// fieldsMax bounds the fields in which a term without a field name is looked up; with
// more fields the walk goes through all things.
const (
	costMax   = 128
	fieldsMax = 64
)

// walk is a place in the candidates of a query, with the spans that it goes through.
// It is stored in page tokens and in memberSearch, so that it continues later on
// another snapshot. Its JSON names are stored.
type walk struct {
	Span   int               `json:",omitempty"` // the current one of Spans
	After  string            `json:",omitempty"` // the last key read in the span or, without spans, the last thing
	Status muster.Status     `json:",omitempty"` // in the span of a job: the status whose executions are being read
	Queued store.Cursor      `json:",omitzero"`  // the last execution read of that status
	Spans  []fleetquery.Span `json:",omitempty"` // none: go through all things
}

// candidate is a thing that may match.
type candidate struct {
	thing muster.ThingName  // empty for a row that is no candidate, so that it is counted as work
	at    walk              // the place after it, to continue from
	entry *fleetquery.Entry // the index entry it was found by; nil in a walk through all things
}

// coverOf returns a walk through the candidates of a query, at its beginning. A query
// without a cover, such as a negation, gets a walk through all things.
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

// cost returns the number of entries in a span, costMax at most. For a job it is taken
// from the counts of executions.
func cost(r store.Reader, s fleetquery.Span) (int, error) {
	n := 0
	if job := fleetquery.JobOf(s.Field); job != "" {
		counts, err := store.CountsOf(r, muster.JobID(job))
		for _, status := range statusesIn(s) {
			n += int(min(counts.Of(status), costMax))
		}
		return min(n, costMax), err
	}
	table, ranges, err := rangesOf(r, s)
	for _, in := range ranges {
		for _, err := range r.Scan(table, in.from, in.to) {
			if n++; err != nil || n == costMax {
				return n, err
			}
		}
	}
	return n, err
}

// rangesOf returns the rows of a span of a field that is not a job's.
func rangesOf(r store.Reader, s fleetquery.Span) (store.Table, []keyRange, error) {
	if fleetquery.OfConnectivity(s.Field) {
		ranges, err := connectivityRanges(r, s)
		return tables.connectivity.Table, ranges, err
	}
	from, to := s.Bounds()
	return spanTable(s), []keyRange{{from, to}}, nil
}

func spanTable(s fleetquery.Span) store.Table {
	return entryTable(fleetquery.Entry{Numbers: s.Numbers}).Table
}

// indexedFields returns the fields that things have in the index, and false if there
// are more than fieldsMax. It reads one row for each field and skips to the next.
func indexedFields(r store.Reader) ([]string, bool, error) {
	var fields []string
	if ok, err := connectivityIsIndexed(r); err != nil {
		return nil, false, err
	} else if ok {
		fields = []string{fleetquery.Connected, fleetquery.ConnectedAt, fleetquery.DisconnectReason}
	}
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

// statusesIn returns the statuses of executions that are in the span of a job.
func statusesIn(s fleetquery.Span) []muster.Status {
	var all []muster.Status
	d := fleetquery.Document{}
	for _, status := range muster.Statuses() {
		clear(d)
		d.Add(s.Field, status.String())
		if d.In(s) {
			all = append(all, status)
		}
	}
	return all
}

// candidates yields the candidates after the place of a walk: one for each entry of
// its spans, so a thing may come several times, or all things if there are no spans.
func candidates(r store.Reader, at walk) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		if at.Spans == nil {
			everyThing(r, at, yield)
			return
		}
		for ; at.Span < len(at.Spans); at = (walk{Span: at.Span + 1, Spans: at.Spans}) {
			through := entriesIn
			if field := at.Spans[at.Span].Field; fleetquery.JobOf(field) != "" {
				through = executionsIn
			} else if fleetquery.OfConnectivity(field) {
				through = connectionsIn
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

// entriesIn yields the candidates of one span, and reports whether to continue.
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

// wantLatest names the latest execution of the job of x on its thing.
func wantLatest(w *commit.Wants, x muster.Execution) { w.LatestOf(x.Thing, x.Job) }

// executionsIn is entriesIn for the span of a job. The store has its own index of
// executions by job and status, so there are no entries for them. An execution that is
// not the latest of its thing and job is no candidate.
func executionsIn(r store.Reader, at walk, yield func(candidate, error) bool) bool {
	span := at.Spans[at.Span]
	for _, status := range statusesIn(span) {
		if status < at.Status {
			continue
		}
		if status > at.Status {
			at.Status, at.Queued = status, store.Cursor{}
		}
		of := r.ExecutionsOfJob(muster.JobID(fleetquery.JobOf(span.Field)), status, at.Queued)
		for x, err := range commit.Ahead(r, stepMax, of, wantLatest) {
			c := candidate{}
			if err == nil {
				var latest *muster.Execution
				latest, err = store.LatestOf(r, x.Thing, x.Job)
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
