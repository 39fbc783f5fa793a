-- What Muster keeps. Instants are milliseconds since 1970 in UTC, and 0 is none.
-- Views for people are at the end. Names sort as bytes, as they do in page tokens.

-- A queue is the pending executions of a thing in one namespace. body has its entries;
-- head_job and head_number name the execution that comes first.
CREATE TABLE muster.queue (
	thing text COLLATE "C" NOT NULL, ns text COLLATE "C" NOT NULL, bucket smallint NOT NULL,
	rev bigint NOT NULL,
	head_job text COLLATE "C" NOT NULL, head_number bigint NOT NULL,
	body bytea NOT NULL,
	PRIMARY KEY (thing, ns, bucket)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- due is the earlier of the two deadlines while the execution is IN_PROGRESS.
-- flags: 1 forced to be cancelled, 2 its job has maintenance windows.
CREATE TABLE muster.execution (
	thing text COLLATE "C" NOT NULL, job text COLLATE "C" NOT NULL, number bigint NOT NULL, bucket smallint NOT NULL,
	ns text COLLATE "C" NOT NULL,
	status smallint NOT NULL, version bigint NOT NULL,
	queued_at bigint NOT NULL, started_at bigint NOT NULL, updated_at bigint NOT NULL,
	job_deadline bigint NOT NULL, step_deadline bigint NOT NULL, due bigint NOT NULL,
	failed bigint NOT NULL, timed_out bigint NOT NULL, flags smallint NOT NULL,
	presigned_at bigint NOT NULL,
	details jsonb NOT NULL,
	PRIMARY KEY (thing, job, number, bucket)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX execution_of_job ON muster.execution (job, status, queued_at DESC, thing, number);
CREATE INDEX execution_due ON muster.execution (due, thing, job, number) WHERE due <> 0;

-- How many executions a job has in each status is the sum of its rows. Each lane of
-- commits changes its own row, so that none waits for another.
CREATE TABLE muster.counts (
	job text COLLATE "C" NOT NULL, lane smallint NOT NULL, bucket smallint NOT NULL,
	queued bigint NOT NULL, in_progress bigint NOT NULL, succeeded bigint NOT NULL, failed bigint NOT NULL,
	timed_out bigint NOT NULL, rejected bigint NOT NULL, removed bigint NOT NULL, canceled bigint NOT NULL,
	PRIMARY KEY (job, lane, bucket)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- Everything else. A value is mostly a byte for its form, and JSON.
CREATE TABLE muster.record (
	tbl text COLLATE "C" NOT NULL, key bytea NOT NULL, value bytea NOT NULL,
	PRIMARY KEY (tbl, key)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);

-- The servers on this database. One that has not renewed its row until it expires is taken
-- to be gone.
CREATE TABLE muster.node (
	name text COLLATE "C" PRIMARY KEY, incarnation bigint NOT NULL,
	expires timestamptz NOT NULL, started timestamptz NOT NULL, version text NOT NULL, host text NOT NULL
);
CREATE SEQUENCE muster.incarnation;

-- The lanes of commits of the servers. Each commit counts n up by one: if it finds no row of
-- its incarnation with the number before, it fails. So a server that was taken over
-- commits nothing, and whether a commit without an answer took place can be asked.
CREATE TABLE muster.lane (
	lane smallint NOT NULL, bucket smallint NOT NULL,
	node text COLLATE "C" NOT NULL, incarnation bigint NOT NULL, n bigint NOT NULL,
	PRIMARY KEY (lane, bucket)
) WITH (fillfactor = 10);

CREATE FUNCTION muster.instant(ms bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE
	RETURN CASE WHEN ms <> 0 THEN timestamptz 'epoch' + ms * interval '1 millisecond' END;

CREATE FUNCTION muster.content(value bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE
	RETURN convert_from(substr(value, 2), 'UTF8')::jsonb;

CREATE VIEW muster.view_execution AS
	SELECT thing, job, number, ns AS namespace,
		(ARRAY['QUEUED', 'IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'REJECTED', 'REMOVED', 'CANCELED'])[status] AS status,
		version, muster.instant(queued_at) AS queued_at, muster.instant(started_at) AS started_at, muster.instant(updated_at) AS updated_at,
		muster.instant(job_deadline) AS job_deadline, muster.instant(step_deadline) AS step_deadline,
		failed + timed_out AS retry_attempt, flags & 1 <> 0 AS force_canceled, flags & 2 <> 0 AS windowed,
		muster.instant(presigned_at) AS presigned_at, details
	FROM muster.execution;

CREATE VIEW muster.view_queue AS
	SELECT thing, namespace, status, job, number, version, queued_at, started_at, updated_at
	FROM muster.view_execution WHERE status IN ('QUEUED', 'IN_PROGRESS');

CREATE VIEW muster.view_job_counts AS
	SELECT job, sum(queued) AS queued, sum(in_progress) AS in_progress, sum(succeeded) AS succeeded, sum(failed) AS failed,
		sum(timed_out) AS timed_out, sum(rejected) AS rejected, sum(removed) AS removed, sum(canceled) AS canceled
	FROM muster.counts GROUP BY job;

CREATE VIEW muster.view_job AS
	SELECT convert_from(key, 'UTF8') AS job, muster.content(value) AS content FROM muster.record WHERE tbl = 'job';

CREATE VIEW muster.view_thing AS
	SELECT convert_from(key, 'UTF8') AS thing, muster.content(value) AS content FROM muster.record WHERE tbl = 'thing';

CREATE VIEW muster.view_group AS
	SELECT convert_from(key, 'UTF8') AS thing_group, muster.content(value) AS content FROM muster.record WHERE tbl = 'group';

CREATE VIEW muster.view_node AS
	SELECT name, host, version, started, expires, expires > now() AS alive FROM muster.node;
