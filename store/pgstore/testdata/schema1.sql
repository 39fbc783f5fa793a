SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA muster;
CREATE FUNCTION muster.content(value bytea) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (convert_from(substr(value, 2), 'UTF8'::name))::jsonb;
CREATE FUNCTION muster.instant(ms bigint) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN (ms <> 0) THEN ('1970-01-01 00:00:00+00'::timestamp with time zone + ((ms)::double precision * '00:00:00.001'::interval)) ELSE NULL::timestamp with time zone END;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE muster.counts (
    job text NOT NULL COLLATE pg_catalog."C",
    lane smallint NOT NULL,
    bucket smallint NOT NULL,
    queued bigint NOT NULL,
    in_progress bigint NOT NULL,
    succeeded bigint NOT NULL,
    failed bigint NOT NULL,
    timed_out bigint NOT NULL,
    rejected bigint NOT NULL,
    removed bigint NOT NULL,
    canceled bigint NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE muster.execution (
    thing text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    number bigint NOT NULL,
    bucket smallint NOT NULL,
    ns text NOT NULL COLLATE pg_catalog."C",
    status smallint NOT NULL,
    version bigint NOT NULL,
    queued_at bigint NOT NULL,
    started_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    job_deadline bigint NOT NULL,
    step_deadline bigint NOT NULL,
    due bigint NOT NULL,
    failed bigint NOT NULL,
    timed_out bigint NOT NULL,
    flags smallint NOT NULL,
    presigned_at bigint NOT NULL,
    details jsonb NOT NULL
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.05');
CREATE SEQUENCE muster.incarnation
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE muster.lane (
    lane smallint NOT NULL,
    bucket smallint NOT NULL,
    node text NOT NULL COLLATE pg_catalog."C",
    incarnation bigint NOT NULL,
    n bigint NOT NULL
)
WITH (fillfactor='10');
CREATE TABLE muster.node (
    name text NOT NULL COLLATE pg_catalog."C",
    incarnation bigint NOT NULL,
    expires timestamp with time zone NOT NULL,
    started timestamp with time zone NOT NULL,
    version text NOT NULL,
    host text NOT NULL
);
CREATE TABLE muster.queue (
    thing text NOT NULL COLLATE pg_catalog."C",
    ns text NOT NULL COLLATE pg_catalog."C",
    bucket smallint NOT NULL,
    rev bigint NOT NULL,
    head_job text NOT NULL COLLATE pg_catalog."C",
    head_number bigint NOT NULL,
    body bytea NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE muster.record (
    tbl text NOT NULL COLLATE pg_catalog."C",
    key bytea NOT NULL,
    value bytea NOT NULL
)
WITH (fillfactor='90', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE muster.version (
    one boolean DEFAULT true NOT NULL,
    schema integer NOT NULL,
    format integer NOT NULL,
    CONSTRAINT version_one_check CHECK (one)
);
CREATE VIEW muster.view_execution AS
 SELECT execution.thing,
    execution.job,
    execution.number,
    execution.ns AS namespace,
    (ARRAY['QUEUED'::text, 'IN_PROGRESS'::text, 'SUCCEEDED'::text, 'FAILED'::text, 'TIMED_OUT'::text, 'REJECTED'::text, 'REMOVED'::text, 'CANCELED'::text])[execution.status] AS status,
    execution.version,
    muster.instant(execution.queued_at) AS queued_at,
    muster.instant(execution.started_at) AS started_at,
    muster.instant(execution.updated_at) AS updated_at,
    muster.instant(execution.job_deadline) AS job_deadline,
    muster.instant(execution.step_deadline) AS step_deadline,
    (execution.failed + execution.timed_out) AS retry_attempt,
    (((execution.flags)::integer & 1) <> 0) AS force_canceled,
    (((execution.flags)::integer & 2) <> 0) AS windowed,
    muster.instant(execution.presigned_at) AS presigned_at,
    execution.details
   FROM muster.execution;
CREATE VIEW muster.view_group AS
 SELECT convert_from(record.key, 'UTF8'::name) AS thing_group,
    muster.content(record.value) AS content
   FROM muster.record
  WHERE (record.tbl = 'group'::text);
CREATE VIEW muster.view_job AS
 SELECT convert_from(record.key, 'UTF8'::name) AS job,
    muster.content(record.value) AS content
   FROM muster.record
  WHERE (record.tbl = 'job'::text);
CREATE VIEW muster.view_job_counts AS
 SELECT counts.job,
    sum(counts.queued) AS queued,
    sum(counts.in_progress) AS in_progress,
    sum(counts.succeeded) AS succeeded,
    sum(counts.failed) AS failed,
    sum(counts.timed_out) AS timed_out,
    sum(counts.rejected) AS rejected,
    sum(counts.removed) AS removed,
    sum(counts.canceled) AS canceled
   FROM muster.counts
  GROUP BY counts.job;
CREATE VIEW muster.view_node AS
 SELECT node.name,
    node.host,
    node.version,
    node.started,
    node.expires,
    (node.expires > now()) AS alive
   FROM muster.node;
CREATE VIEW muster.view_queue AS
 SELECT view_execution.thing,
    view_execution.namespace,
    view_execution.status,
    view_execution.job,
    view_execution.number,
    view_execution.version,
    view_execution.queued_at,
    view_execution.started_at,
    view_execution.updated_at
   FROM muster.view_execution
  WHERE (view_execution.status = ANY (ARRAY['QUEUED'::text, 'IN_PROGRESS'::text]));
CREATE VIEW muster.view_thing AS
 SELECT convert_from(record.key, 'UTF8'::name) AS thing,
    muster.content(record.value) AS content
   FROM muster.record
  WHERE (record.tbl = 'thing'::text);
INSERT INTO muster.counts VALUES ('fw', 2, 0, 2, 1, 0, 0, 0, 0, 0, 0);
INSERT INTO muster.counts VALUES ('old', 0, 0, 0, 0, 1, 0, 0, 0, 0, 0);
INSERT INTO muster.execution VALUES ('lamp', 'fw', 1, 59, '', 1, 1, 1700000000000, 0, 1700000000000, 0, 0, 0, 0, 0, 0, 0, '{}');
INSERT INTO muster.execution VALUES ('pump', 'fw', 1, 107, '', 2, 1, 1700000000001, 1700000000500, 1700000000000, 1700000060000, 0, 1700000060000, 0, 0, 0, 0, '{"progress": "50 %"}');
INSERT INTO muster.execution VALUES ('door', 'fw', 1, 41, '', 1, 1, 1700000000002, 0, 1700000000000, 0, 0, 0, 0, 0, 0, 0, '{}');
INSERT INTO muster.execution VALUES ('door', 'old', 2, 41, '', 3, 3, 1600000000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}');
INSERT INTO muster.lane VALUES (1, 0, 'former', 1, 0);
INSERT INTO muster.lane VALUES (2, 0, 'former', 1, 3);
INSERT INTO muster.lane VALUES (0, 0, 'former', 1, 1);
INSERT INTO muster.node VALUES ('former', 1, '2026-11-01 12:00:05+00', '2026-11-01 12:00:00+00', '0.1.0', 'vm');
INSERT INTO muster.queue VALUES ('lamp', '', 59, 1700000000000000, 'fw', 1, '\x0102667702020280a0abfef9620080a0abfef96200');
INSERT INTO muster.queue VALUES ('pump', '', 107, 1700000000001000, 'fw', 1, '\x0102667702020482a0abfef962e8a7abfef96280a0abfef96200');
INSERT INTO muster.queue VALUES ('door', '', 41, 1700000000002000, 'fw', 1, '\x0102667702020284a0abfef9620080a0abfef96200');
INSERT INTO muster.record VALUES ('job', '\x6677', '\x017b224944223a226677227d');
INSERT INTO muster.record VALUES ('table', '\x610062', '\x0001ff');
INSERT INTO muster.version VALUES (true, 1, 5);
SELECT pg_catalog.setval('muster.incarnation', 1, true);
ALTER TABLE ONLY muster.counts
    ADD CONSTRAINT counts_pkey PRIMARY KEY (job, lane, bucket);
ALTER TABLE ONLY muster.execution
    ADD CONSTRAINT execution_pkey PRIMARY KEY (thing, job, number, bucket);
ALTER TABLE ONLY muster.lane
    ADD CONSTRAINT lane_pkey PRIMARY KEY (lane, bucket);
ALTER TABLE ONLY muster.node
    ADD CONSTRAINT node_pkey PRIMARY KEY (name);
ALTER TABLE ONLY muster.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (thing, ns, bucket);
ALTER TABLE ONLY muster.record
    ADD CONSTRAINT record_pkey PRIMARY KEY (tbl, key);
ALTER TABLE ONLY muster.version
    ADD CONSTRAINT version_pkey PRIMARY KEY (one);
CREATE INDEX execution_due ON muster.execution USING btree (due, thing, job, number) WHERE (due <> 0);
CREATE INDEX execution_of_job ON muster.execution USING btree (job, status, queued_at DESC, thing, number);
