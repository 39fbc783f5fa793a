package pgstore

import (
	"cmp"

	"github.com/muster-iot/muster/store"
)

const (
	selectRecords = `SELECT r.tbl, r.key, r.value FROM unnest($1::text[], $2::bytea[]) AS k(tbl, key) JOIN muster.record r USING (tbl, key)`
	selectOfHeads = `SELECT r.tbl, r.key, r.value FROM (
			SELECT DISTINCT q.head_job FROM unnest($1::text[], $2::text[], $3::smallint[]) AS k(thing, ns, bucket)
			JOIN muster.queue q USING (thing, ns, bucket) WHERE q.head_number <> 0
		) h CROSS JOIN unnest($4::text[]) AS t(tbl) JOIN muster.record r ON r.tbl = t.tbl AND r.key = convert_to(h.head_job, 'UTF8')`
	selectRanges = `SELECT k.i, r.key, r.value FROM unnest($1::text[], $2::bytea[], $3::bytea[]) WITH ORDINALITY AS k(tbl, lowest, below, i)
		CROSS JOIN LATERAL (SELECT * FROM muster.record x WHERE x.tbl = k.tbl AND x.key >= k.lowest AND x.key < k.below ORDER BY x.key LIMIT $4) r
		ORDER BY k.i, r.key`
	selectRests = `SELECT k.i, r.key, r.value FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS k(tbl, lowest, i)
		CROSS JOIN LATERAL (SELECT * FROM muster.record x WHERE x.tbl = k.tbl AND x.key >= k.lowest ORDER BY x.key LIMIT $3) r
		ORDER BY k.i, r.key`
	pageOfRecords = `SELECT r.key, r.value FROM muster.record r WHERE r.tbl = $1 AND r.key >= $2 AND r.key < $3 ORDER BY r.key LIMIT $4`
	restOfRecords = `SELECT r.key, r.value FROM muster.record r WHERE r.tbl = $1 AND r.key >= $2 ORDER BY r.key LIMIT $3`

	// A row that the snapshot has is updated, and not inserted with ON CONFLICT: if another
	// transaction has deleted it meanwhile, an update is refused, and an insert would bring it
	// back.
	updateRecords = `UPDATE muster.record r SET value = k.value FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS k(tbl, key, value)
		WHERE r.tbl = k.tbl AND r.key = k.key`
	insertRecords = `INSERT INTO muster.record (tbl, key, value) SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[])`
	// Of what was not read, after an update. Under a snapshot, a row that another transaction
	// has inserted meanwhile is refused all the same.
	insertOthers  = insertRecords + ` ON CONFLICT (tbl, key) DO NOTHING`
	deleteRecords = `DELETE FROM muster.record r USING unnest($1::text[], $2::bytea[]) AS k(tbl, key) WHERE r.tbl = k.tbl AND r.key = k.key`
)

// recordRows are rows of the table, or keys of such.
type recordRows struct {
	table      []string
	key, value [][]byte
}

func (r *recordRows) add(key store.RecordKey, value []byte) {
	r.table, r.key, r.value = append(r.table, string(key.Table)), append(r.key, []byte(key.Key)), append(r.value, value)
}

func (r *recordRows) args() []any { return []any{r.table, r.key, r.value} }

// rangeRows are the bounds of ranges.
type rangeRows struct {
	of            []store.Range
	table         []string
	lowest, below [][]byte
}

func (r *rangeRows) add(of store.Range) {
	r.of, r.table = append(r.of, of), append(r.table, string(of.Table))
	r.lowest, r.below = append(r.lowest, []byte(of.From)), append(r.below, []byte(of.To))
}

// ownRecord is a record that the transaction has changed. Its value is nil if it was
// deleted.
type ownRecord struct {
	store.RecordKey
	value []byte
}

func compareOwn(a, b ownRecord) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Key, b.Key))
}
