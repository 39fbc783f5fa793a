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
	pageOfRecords = `SELECT r.key, r.value FROM muster.record r WHERE r.tbl = $1 AND r.key >= $2 AND r.key < $3 ORDER BY r.key LIMIT $4`
	restOfRecords = `SELECT r.key, r.value FROM muster.record r WHERE r.tbl = $1 AND r.key >= $2 ORDER BY r.key LIMIT $3`

	putRecords = `INSERT INTO muster.record AS r (tbl, key, value) SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[])
		ON CONFLICT (tbl, key) DO UPDATE SET value = excluded.value`
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

// ownRecord is a record that the transaction has changed. Its value is nil if it was
// deleted.
type ownRecord struct {
	store.RecordKey
	value []byte
}

func compareOwn(a, b ownRecord) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Key, b.Key))
}
