package pgstore

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/muster-iot/muster"
	"github.com/muster-iot/muster/store"
)

const (
	executionColumns = `e.thing, e.job, e.number, e.ns, e.status, e.version, e.queued_at, e.started_at, e.updated_at,
		e.job_deadline, e.step_deadline, e.failed, e.timed_out, e.flags, e.presigned_at, e.details::text`

	selectExecutions = `SELECT e.ctid, ` + executionColumns + ` FROM unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[]) AS k(thing, job, number, bucket)
		JOIN muster.execution e USING (thing, job, number, bucket)`
	selectExecutionsOfShard = selectExecutions + ` WHERE e.bucket = ANY($4)`
	selectHeads             = `SELECT q.ctid, ` + queueColumns + `, e.ctid, ` + executionColumns + ` FROM unnest($1::text[], $2::text[], $3::smallint[]) AS k(thing, ns, bucket)
		JOIN muster.queue q USING (thing, ns, bucket)
		LEFT JOIN muster.execution e ON e.thing = q.thing AND e.job = q.head_job AND e.number = q.head_number AND e.bucket = q.bucket`
	selectHeadsOfShard = selectHeads + ` WHERE q.bucket = ANY($3)`
	selectLatest       = `SELECT e.ctid, ` + executionColumns + ` FROM unnest($1::text[], $2::text[], $3::smallint[]) AS k(thing, job, bucket)
		CROSS JOIN LATERAL (SELECT x.ctid, x.* FROM muster.execution x WHERE x.thing = k.thing AND x.job = k.job AND x.bucket = k.bucket ORDER BY number DESC LIMIT 1) e`
	selectLatestOfShard = `SELECT DISTINCT ON (e.thing, e.job, e.bucket) e.ctid, ` + executionColumns + ` FROM unnest($1::text[], $2::text[], $3::smallint[]) AS k(thing, job, bucket)
		JOIN muster.execution e USING (thing, job, bucket) WHERE e.bucket = ANY($3) ORDER BY e.thing, e.job, e.bucket, e.number DESC`

	pageOfThing = `SELECT ` + executionColumns + ` FROM muster.execution e WHERE e.thing = $1 AND e.bucket = $2 AND (e.job, e.number) > ($3, $4)
		ORDER BY e.job, e.number LIMIT $5`
	pageOfAll = `SELECT ` + executionColumns + ` FROM muster.execution e WHERE (e.thing, e.job, e.number) > ($1, $2, $3)
		ORDER BY e.thing, e.job, e.number LIMIT $4`
	// An index has the order within a status. What comes after a place is the rest of its
	// instant and then the instants before, each a stretch of the index.
	pageOfJob = `SELECT ` + executionColumns + ` FROM unnest($1::smallint[]) AS s(status) CROSS JOIN LATERAL (
			(SELECT * FROM muster.execution x WHERE x.job = $2 AND x.status = s.status AND x.queued_at = $3 AND (x.thing, x.number) > ($4, $5)
				ORDER BY x.thing, x.number LIMIT $6)
			UNION ALL
			(SELECT * FROM muster.execution x WHERE x.job = $2 AND x.status = s.status AND x.queued_at < $3
				ORDER BY x.queued_at DESC, x.thing, x.number LIMIT $6)
		) e ORDER BY e.queued_at DESC, e.thing, e.number LIMIT $6`
	pageOfTimers = `SELECT due, thing, job, number FROM muster.execution
		WHERE due <> 0 AND due <= $1 AND (due, thing, job, number) > ($2, $3, $4, $5) ORDER BY due, thing, job, number LIMIT $6`

	insertExecutionsOfShard = `INSERT INTO muster.execution (thing, job, number, bucket, ns, status, version, queued_at, started_at, updated_at,
			job_deadline, step_deadline, due, failed, timed_out, flags, presigned_at, details) `
	insertExecutions = insertExecutionsOfShard + `SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[], $5::text[], $6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[],
			$10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::smallint[], $17::bigint[], $18::jsonb[])`
	changeExecutions = `UPDATE muster.execution e SET ns = k.ns, status = k.status, version = k.version,
			queued_at = k.queued_at, started_at = k.started_at, updated_at = k.updated_at,
			job_deadline = k.job_deadline, step_deadline = k.step_deadline, due = k.due,
			failed = k.failed, timed_out = k.timed_out, flags = k.flags, presigned_at = k.presigned_at, details = k.details `
	updateExecutions = changeExecutions + `FROM unnest($1::tid[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[],
				$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::smallint[], $14::bigint[], $15::jsonb[])
			AS k(place, ns, status, version, queued_at, started_at, updated_at,
				job_deadline, step_deadline, due, failed, timed_out, flags, presigned_at, details)
		WHERE e.ctid = k.place`
	updateExecutionsOfShard = changeExecutions + `FROM unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[], $5::text[], $6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[],
				$10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::smallint[], $17::bigint[], $18::jsonb[])
			AS k(thing, job, number, bucket, ns, status, version, queued_at, started_at, updated_at,
				job_deadline, step_deadline, due, failed, timed_out, flags, presigned_at, details)
		WHERE e.thing = k.thing AND e.job = k.job AND e.number = k.number AND e.bucket = k.bucket AND e.bucket = ANY($4)`
	deleteExecutions        = `DELETE FROM muster.execution e WHERE e.ctid = ANY($1::tid[])`
	deleteExecutionsOfShard = `DELETE FROM muster.execution e USING unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[]) AS k(thing, job, number, bucket)
		WHERE e.thing = k.thing AND e.job = k.job AND e.number = k.number AND e.bucket = k.bucket AND e.bucket = ANY($4)`
)

// ofStatuses returns a statement for a page of a job, for a database with shards. It has a page
// for each status, because the index has an order within one status only: for several, each shard
// would sort all its executions of the job.
func ofStatuses(statuses []int16) string {
	const page = `SELECT ` + executionColumns + ` FROM muster.execution e WHERE e.status = %d AND e.job = $1 AND e.queued_at <= $2
			AND (e.queued_at < $2 OR (e.thing, e.number) > ($3, $4))
		ORDER BY e.queued_at DESC, e.thing, e.number LIMIT $5`
	pages := make([]string, len(statuses))
	for i, status := range statuses {
		pages[i] = fmt.Sprintf(page, status)
	}
	if len(pages) == 1 {
		return pages[0]
	}
	return `SELECT * FROM ((` + strings.Join(pages, `) UNION ALL (`) + `)) e ORDER BY e.queued_at DESC, e.thing, e.number LIMIT $5`
}

const (
	executionForced = 1 << iota
	executionWindowed
)

// firstNumber is before the numbers of all executions.
const firstNumber = math.MinInt64

// executionKeys are the columns of keys.
type executionKeys struct {
	thing, job []string
	number     []int64
	bucket     []int16
}

func (k *executionKeys) add(key store.ExecutionKey) {
	k.thing, k.job = append(k.thing, string(key.Thing)), append(k.job, string(key.Job))
	k.number, k.bucket = append(k.number, key.Number), append(k.bucket, bucketOf(key.Thing))
}

// attemptsKeys are the columns of keys.
type attemptsKeys struct {
	thing, job []string
	bucket     []int16
}

func (k *attemptsKeys) add(key store.AttemptsKey) {
	k.thing, k.job = append(k.thing, string(key.Thing)), append(k.job, string(key.Job))
	k.bucket = append(k.bucket, bucketOf(key.Thing))
}

// executionAddresses say which rows a statement is for, as queueAddresses do.
type executionAddresses struct {
	executionKeys
	place places
}

func (a *executionAddresses) add(key store.ExecutionKey, place pgtype.TID) {
	if place.Valid {
		a.place = append(a.place, place)
	} else {
		a.executionKeys.add(key)
	}
}

func (a *executionAddresses) count() int64 { return int64(len(a.place) + len(a.thing)) }

func (a *executionAddresses) args() []any {
	if len(a.place) > 0 {
		return []any{a.place}
	}
	return []any{a.thing, a.job, a.number, a.bucket}
}

// executionRows are rows of the table.
type executionRows struct {
	executionAddresses
	ns                        []string
	status, flags             []int16
	version, failed, timedOut []int64
	queued, started, changed  []int64
	jobDeadline, stepDeadline []int64
	due, presigned            []int64
	details                   []json.RawMessage
}

func (r *executionRows) add(e *muster.Execution, place pgtype.TID) error {
	r.executionAddresses.add(store.Key(*e), place)
	flags := int16(0)
	if e.ForceCanceled {
		flags |= executionForced
	}
	if e.Windowed {
		flags |= executionWindowed
	}
	r.ns, r.status, r.flags = append(r.ns, string(e.Namespace)), append(r.status, int16(e.Status)), append(r.flags, flags)
	r.version = append(r.version, e.Version)
	r.failed, r.timedOut = append(r.failed, int64(e.Retries.Failed)), append(r.timedOut, int64(e.Retries.TimedOut))
	r.queued, r.started, r.changed = append(r.queued, int64(e.QueuedAt)), append(r.started, int64(e.StartedAt)), append(r.changed, int64(e.UpdatedAt))
	r.jobDeadline, r.stepDeadline = append(r.jobDeadline, int64(e.JobDeadline)), append(r.stepDeadline, int64(e.StepDeadline))
	r.due, r.presigned = append(r.due, int64(e.Deadline())), append(r.presigned, int64(e.PresignedAt))
	details, err := detailsText(e.Details)
	r.details = append(r.details, details)
	return err
}

func (r *executionRows) args() []any {
	return append(r.executionAddresses.args(), r.ns, r.status, r.version, r.queued, r.started, r.changed,
		r.jobDeadline, r.stepDeadline, r.due, r.failed, r.timedOut, r.flags, r.presigned, r.details)
}

var noDetails = json.RawMessage("{}")

// detailsText returns details as JSON. No text of PostgreSQL can hold NUL, which the
// contract does not allow either (muster.CheckDetails).
func detailsText(details map[string]string) (json.RawMessage, error) {
	if len(details) == 0 {
		return noDetails, nil
	}
	for key, value := range details {
		if !storable(key) || !storable(value) {
			return noDetails, fmt.Errorf("pgstore: the details of an execution have text that PostgreSQL cannot hold: %q", key)
		}
	}
	return json.Marshal(details)
}

func (r *row) execution() muster.Execution {
	e := muster.Execution{
		Thing: muster.ThingName(r.text()), Job: muster.JobID(r.text()), Number: r.big(), Namespace: muster.Namespace(r.text()),
		Status: muster.Status(r.small()), Version: r.big(), QueuedAt: r.instant(), StartedAt: r.instant(), UpdatedAt: r.instant(),
		JobDeadline: r.instant(), StepDeadline: r.instant(),
	}
	e.Retries.Failed, e.Retries.TimedOut = int(r.big()), int(r.big())
	flags := r.small()
	e.ForceCanceled, e.Windowed = flags&executionForced != 0, flags&executionWindowed != 0
	e.PresignedAt = r.instant()
	if e.Status < muster.Queued || e.Status > muster.Canceled {
		r.fail(fmt.Errorf("pgstore: the execution %v has a status that this release does not know", store.Key(e)))
	}
	if details := r.shared(); string(details) != "{}" {
		if err := json.Unmarshal(details, &e.Details); err != nil {
			r.fail(fmt.Errorf("pgstore: the details of the execution %v: %w", store.Key(e), err))
		}
	}
	return e
}
