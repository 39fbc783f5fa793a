SELECT citus_add_local_table_to_metadata('muster.lease');
