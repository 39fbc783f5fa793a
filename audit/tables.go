package audit

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

// tables hold the records and what finds them, each with its key. The names of tables are stored and must not change.
var tables = struct {
	records     store.Of[Record]     // keyOf: newest first
	byResource  store.Of[store.Link] // ARN, keyOf
	byPrincipal store.Of[store.Link] // access key id or user, keyOf
	byOperation store.Of[store.Link] // operation, keyOf
	uncounted   store.Of[amount]     // countKey: what came since it was counted
	hours       store.Of[amount]     // TimeKey of the begin of an hour: what is counted of it; wholeKey: of all
}{
	records:     store.Of[Record]{Table: "audit"},
	byResource:  store.Of[store.Link]{Table: "auditresource"},
	byPrincipal: store.Of[store.Link]{Table: "auditprincipal"},
	byOperation: store.Of[store.Link]{Table: "auditoperation"},
	uncounted:   store.Of[amount]{Table: "auditnew"},
	hours:       store.Of[amount]{Table: "audithour"},
}

// Tables are the tables of this package.
func Tables() []store.Checker {
	return []store.Checker{tables.records, tables.byResource, tables.byPrincipal, tables.byOperation, tables.uncounted, tables.hours}
}

// amount is how many records there are, and how large they are with what finds them, in bytes.
type amount struct {
	Records int64
	Bytes   int64
}

func (a amount) plus(b amount) amount  { return amount{a.Records + b.Records, a.Bytes + b.Bytes} }
func (a amount) minus(b amount) amount { return amount{a.Records - b.Records, a.Bytes - b.Bytes} }

// keyOf returns the key of a record: by its instant, newest first, then by its request.
func keyOf(at muster.Instant, requestID string) string {
	return store.JoinKey(store.LatestKey(at), requestID)
}

// countKey returns the key of the record in tables.uncounted: by its instant, oldest first, then by its request.
func countKey(r Record) string { return store.JoinKey(store.TimeKey(r.At), r.RequestID) }

// row is a row that finds a record.
type row struct {
	table store.Of[store.Link]
	key   string
}

// rows returns the rows that find a record, each once.
func rows(r Record) []row {
	key := keyOf(r.At, r.RequestID)
	all := []row{{tables.byOperation, store.JoinKey(r.Operation, key)}}
	principals := []string{r.AccessKeyID, r.User}
	for _, who := range slices.Compact(principals) {
		if who != "" {
			all = append(all, row{tables.byPrincipal, store.JoinKey(who, key)})
		}
	}
	for _, arn := range r.Resources {
		all = append(all, row{tables.byResource, store.JoinKey(arn, key)})
	}
	return all
}

// amountOf returns what a record counts for.
func amountOf(r Record) amount {
	b, err := json.Marshal(r)
	if err != nil {
		panic("audit: a record is not JSON: " + err.Error()) // the type is wrong, not the value
	}
	n := len(keyOf(r.At, r.RequestID)) + len(b)
	for _, row := range rows(r) {
		n += len(row.key)
	}
	return amount{1, int64(n)}
}

// put writes a record with the rows that find it. was is the record that it replaces, which has the same key, or nil.
func put(tx store.Records, was *Record, r Record) error {
	more, found := amountOf(r), rows(r)
	tables.records.Put(tx, keyOf(r.At, r.RequestID), r)
	old := map[row]bool{}
	if was != nil {
		more = more.minus(amountOf(*was))
		waiting, err := tables.uncounted.Get(tx, countKey(r))
		if err != nil {
			return err
		}
		if waiting != nil {
			more = more.plus(*waiting)
		}
		for _, o := range rows(*was) {
			old[o] = true
		}
	}
	for _, f := range found {
		if !old[f] {
			f.table.Put(tx, f.key, store.Link{})
		}
		delete(old, f)
	}
	for o := range old {
		o.table.Delete(tx, o.key)
	}
	tables.uncounted.Put(tx, countKey(r), more)
	return nil
}

// remove removes a record with the rows that find it. It returns what was counted of it.
func remove(tx store.Records, r Record) (amount, error) {
	counted := amountOf(r)
	waiting, err := tables.uncounted.Get(tx, countKey(r))
	if err != nil {
		return amount{}, err
	}
	if waiting != nil {
		counted = counted.minus(*waiting)
		tables.uncounted.Delete(tx, countKey(r))
	}
	for _, f := range rows(r) {
		f.table.Delete(tx, f.key)
	}
	tables.records.Delete(tx, keyOf(r.At, r.RequestID))
	return counted, nil
}

// recordKeyIn returns the key of the record that a row is for.
func recordKeyIn(key string) string {
	_, record, _ := strings.Cut(key, "\x00")
	return record
}
