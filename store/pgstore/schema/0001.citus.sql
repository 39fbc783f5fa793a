-- On Citus: what belongs to a thing is distributed by its bucket, so that all of it is in one
-- shard; everything else stays on the coordinator, in tables that Citus knows, since it then
-- commits on all servers or on none.
SELECT create_distributed_table('muster.queue', 'bucket', colocate_with => 'none');
SELECT create_distributed_table('muster.execution', 'bucket', colocate_with => 'muster.queue');
SELECT create_distributed_table('muster.counts', 'bucket', colocate_with => 'muster.queue');
SELECT create_distributed_table('muster.lane', 'bucket', colocate_with => 'muster.queue');
SELECT citus_add_local_table_to_metadata('muster.record');
SELECT citus_add_local_table_to_metadata('muster.node');
