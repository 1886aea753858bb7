-- How API keys are used, and API keys that another system gave out.

-- What the digest beside it is of: 'secret' where we gave the key out, 'sha256' of the whole text of an imported one.
ALTER TABLE api_keys ADD COLUMN digest_of TEXT NOT NULL DEFAULT 'secret';
ALTER TABLE api_keys ADD COLUMN previous_digest_of TEXT;
CREATE UNIQUE INDEX api_keys_imported ON api_keys (digest) WHERE digest_of = 'sha256';
CREATE UNIQUE INDEX api_keys_imported_before ON api_keys (previous_digest) WHERE previous_digest_of = 'sha256';

-- One row for a workspace and a minute, hour or day, with the counts of all its keys in one value: rows grow with time,
-- not with keys or requests. step is its length in seconds. Each node counts for itself.
CREATE TABLE key_usage (
    workspace_id BYTES NOT NULL,
    step INT NOT NULL,
    at INT NOT NULL,
    node TEXT NOT NULL,
    counts BYTES NOT NULL,
    PRIMARY KEY (workspace_id, step, at, node)
) CLUSTERED;
