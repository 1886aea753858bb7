-- The counts of one key are found without reading those of all keys of its workspace: a row holds those of a part of them.
-- Locked first, so that nothing that another node writes meanwhile goes with the old tables.
/*postgres LOCK TABLE key_usage, delivery_stats IN ACCESS EXCLUSIVE MODE;*/
CREATE TABLE key_usage_in_parts (
    workspace_id BYTES NOT NULL,
    step INT NOT NULL,
    part INT NOT NULL,
    at INT NOT NULL,
    node TEXT NOT NULL,
    counts BYTES NOT NULL,
    PRIMARY KEY (workspace_id, step, part, at, node)
) CLUSTERED;
/*postgres ALTER TABLE key_usage_in_parts ALTER COLUMN counts SET STORAGE EXTERNAL;*/
INSERT INTO key_usage_in_parts (workspace_id, step, part, at, node, counts)
SELECT workspace_id, step, 1, at, node, counts FROM key_usage;
DROP TABLE key_usage;
ALTER TABLE key_usage_in_parts RENAME TO key_usage;
/*postgres ALTER INDEX key_usage_in_parts_pkey RENAME TO key_usage_pkey;*/

CREATE TABLE delivery_stats_in_parts (
    workspace_id BYTES NOT NULL,
    step INT NOT NULL,
    part INT NOT NULL,
    at INT NOT NULL,
    node TEXT NOT NULL,
    counts BYTES NOT NULL,
    PRIMARY KEY (workspace_id, step, part, at, node)
) CLUSTERED;
/*postgres ALTER TABLE delivery_stats_in_parts ALTER COLUMN counts SET STORAGE EXTERNAL;*/
INSERT INTO delivery_stats_in_parts (workspace_id, step, part, at, node, counts)
SELECT workspace_id, step, 1, at, node, counts FROM delivery_stats;
DROP TABLE delivery_stats;
ALTER TABLE delivery_stats_in_parts RENAME TO delivery_stats;
/*postgres ALTER INDEX delivery_stats_in_parts_pkey RENAME TO delivery_stats_pkey;*/
