-- How deliveries went, and which deliveries are to be made again.

-- One row for a workspace and a minute, hour or day, with the counts of all its webhooks in one value, as in key_usage.
CREATE TABLE delivery_stats (
    workspace_id BYTES NOT NULL,
    step INT NOT NULL,
    at INT NOT NULL,
    node TEXT NOT NULL,
    counts BYTES NOT NULL,
    PRIMARY KEY (workspace_id, step, at, node)
) CLUSTERED;

-- Requests to make many deliveries again that are not done yet: what they mean, and how far they are. Deliveries after
-- done_to, up to last_id, are still to be looked at.
CREATE TABLE resends (
    workspace_id BYTES NOT NULL,
    id BYTES NOT NULL,
    webhook_id BYTES,
    event_id BYTES,
    event_type TEXT,
    status TEXT NOT NULL,
    response_class INT,
    only_made_by TEXT,
    done_to BYTES NOT NULL,
    last_id BYTES NOT NULL,
    PRIMARY KEY (workspace_id, id)
) CLUSTERED;
