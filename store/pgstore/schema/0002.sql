-- Several servers may work on the database at the same time; each is a node then.

-- least is the oldest version of the tables that a server must know to work on these: one that
-- knows the version before may go on beside later ones until it is updated.
ALTER TABLE muster.version ADD COLUMN least integer NOT NULL DEFAULT 2;

-- Each run of a server has a row, until it ends or another node has fenced it. A server that
-- is not shared works alone. slot tells the counts of the nodes apart that are there at the same
-- time; tables and format are the latest versions of tables and records that the server
-- knows; role is the one by which it connects. steady is since when the row has been renewed
-- before it expired. drain is what an operator wants, draining what the node says.
ALTER TABLE muster.node DROP CONSTRAINT node_pkey;
ALTER TABLE muster.node ADD PRIMARY KEY (incarnation);
ALTER TABLE muster.node ADD COLUMN shared boolean NOT NULL DEFAULT false;
ALTER TABLE muster.node ADD COLUMN slot smallint NOT NULL DEFAULT 0;
ALTER TABLE muster.node ADD COLUMN tables integer NOT NULL DEFAULT 1;
ALTER TABLE muster.node ADD COLUMN format integer NOT NULL DEFAULT 0;
ALTER TABLE muster.node ADD COLUMN role text NOT NULL DEFAULT '';
ALTER TABLE muster.node ADD COLUMN steady timestamptz NOT NULL DEFAULT 'epoch';
ALTER TABLE muster.node ADD COLUMN fenced boolean NOT NULL DEFAULT false;
ALTER TABLE muster.node ADD COLUMN draining boolean NOT NULL DEFAULT false;
ALTER TABLE muster.node ADD COLUMN drain boolean NOT NULL DEFAULT false;
ALTER TABLE muster.node ADD COLUMN connections bigint NOT NULL DEFAULT 0;
ALTER TABLE muster.node ADD COLUMN operations double precision NOT NULL DEFAULT 0;

-- Which node does which part of the work that is done once for all.
CREATE TABLE muster.lease (
	name text COLLATE "C" PRIMARY KEY, incarnation bigint NOT NULL
);

-- Each node has lanes of its own. A node is fenced by the removal of its rows.
ALTER TABLE muster.lane DROP CONSTRAINT lane_pkey;
ALTER TABLE muster.lane ADD PRIMARY KEY (lane, bucket, incarnation);

-- Nothing is in this table. Transactions of devices lock it, so that one that must be alone can
-- wait for them, and they for it.
CREATE TABLE muster.gate (nothing boolean);

CREATE OR REPLACE VIEW muster.view_node AS
	SELECT name, host, version, started, expires, expires > now() AND NOT fenced AS alive,
		incarnation, shared, drain OR draining AS draining, connections, operations,
		ARRAY(SELECT l.name FROM muster.lease l WHERE l.incarnation = n.incarnation ORDER BY l.name) AS leases
	FROM muster.node n;
