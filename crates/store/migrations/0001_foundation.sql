-- Everything that the first version remembers.
--
-- One text for both engines. Words replaced by engine: BYTES, INT, TEXT, and CLUSTERED, which on SQLite keeps the rows in
-- their primary key's tree. Instants are INT, in microseconds. JSON is TEXT that the database never looks into. Every
-- workspace's table begins with the workspace, in its primary key and in its indexes.

CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value BYTES NOT NULL
) CLUSTERED;

CREATE TABLE workspaces (
    id BYTES NOT NULL PRIMARY KEY,
    external_id TEXT UNIQUE,
    name TEXT NOT NULL,
    created_at INT NOT NULL
) CLUSTERED;

CREATE TABLE accounts (
    id BYTES NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INT NOT NULL
) CLUSTERED;

CREATE TABLE members (
    workspace_id BYTES NOT NULL,
    id BYTES NOT NULL,
    account_id BYTES NOT NULL,
    role TEXT NOT NULL,
    created_at INT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) CLUSTERED;
CREATE UNIQUE INDEX members_account ON members (account_id, workspace_id);

-- A session is found by the digest of its token; the token itself is only in the cookie.
CREATE TABLE sessions (
    digest BYTES NOT NULL PRIMARY KEY,
    account_id BYTES NOT NULL,
    created_at INT NOT NULL,
    last_seen_at INT NOT NULL,
    expires_at INT NOT NULL,
    source_address TEXT,
    user_agent TEXT
) CLUSTERED;
CREATE INDEX sessions_account ON sessions (account_id);

-- One-time links. kind: setup, which makes the first account, or sign_in, which signs the account in that detail names.
CREATE TABLE one_time_links (
    digest BYTES NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_at INT NOT NULL,
    expires_at INT NOT NULL,
    used_at INT
) CLUSTERED;

CREATE TABLE operator_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    digest BYTES NOT NULL,
    pepper INT NOT NULL,
    created_at INT NOT NULL,
    last_used_at INT,
    revoked_at INT
) CLUSTERED;

CREATE TABLE event_types (
    name TEXT NOT NULL PRIMARY KEY,
    event_group TEXT NOT NULL,
    description TEXT NOT NULL,
    schema_json TEXT,
    example_json TEXT,
    created_at INT NOT NULL,
    updated_at INT NOT NULL,
    archived_at INT
) CLUSTERED;

CREATE TABLE scopes (
    name TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    created_at INT NOT NULL
) CLUSTERED;

-- id is the 12 characters between environment and secret; with brand and environment it is the public identifier.
CREATE TABLE api_keys (
    workspace_id BYTES NOT NULL,
    id TEXT NOT NULL,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    digest BYTES NOT NULL,
    pepper INT NOT NULL,
    previous_digest BYTES,
    previous_pepper INT,
    previous_expires_at INT,
    previous_last_used_at INT,
    enabled INT NOT NULL,
    scopes TEXT NOT NULL,
    allowed_networks TEXT NOT NULL,
    rate_limits TEXT NOT NULL,
    metadata TEXT NOT NULL,
    expires_at INT,
    created_at INT NOT NULL,
    created_by_id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INT NOT NULL,
    last_used_at INT,
    last_used_from TEXT,
    revoked_at INT,
    revoked_by TEXT,
    PRIMARY KEY (workspace_id, id)
) CLUSTERED;
CREATE UNIQUE INDEX api_keys_id ON api_keys (id);
CREATE INDEX api_keys_newest ON api_keys (workspace_id, created_at, id);

-- headers is JSON; the values of secret ones stand in it sealed.
CREATE TABLE webhooks (
    workspace_id BYTES NOT NULL,
    id BYTES NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    content_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    enabled INT NOT NULL,
    disabled_reason TEXT,
    failing_since INT,
    rate_limit TEXT,
    max_in_flight INT,
    metadata TEXT NOT NULL,
    created_at INT NOT NULL,
    created_by_id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) CLUSTERED;

CREATE TABLE signing_secrets (
    workspace_id BYTES NOT NULL,
    webhook_id BYTES NOT NULL,
    created_at INT NOT NULL,
    sealed BYTES NOT NULL,
    expires_at INT,
    PRIMARY KEY (workspace_id, webhook_id, created_at)
) CLUSTERED;

-- supplied_id is the publisher's own id where it gave one; the index is the judge where nodes disagree.
CREATE TABLE events (
    workspace_id BYTES NOT NULL,
    id BYTES NOT NULL,
    supplied_id TEXT,
    type TEXT NOT NULL,
    occurred_at INT NOT NULL,
    data BYTES NOT NULL,
    deliveries INT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) CLUSTERED;
CREATE UNIQUE INDEX events_supplied_id ON events (workspace_id, supplied_id) WHERE supplied_id IS NOT NULL;

-- What is still to be delivered. due_at is when a node may take it: the next attempt's time, or the end of the lease
-- while a node has it in memory, or the end of time while its webhook is disabled.
CREATE TABLE pending_deliveries (
    workspace_id BYTES NOT NULL,
    id BYTES NOT NULL,
    webhook_id BYTES NOT NULL,
    event_id BYTES NOT NULL,
    event_type TEXT NOT NULL,
    attempts_made INT NOT NULL,
    attempt_trigger TEXT NOT NULL,
    last_response_status INT,
    next_attempt_at INT NOT NULL,
    due_at INT NOT NULL,
    leased_by TEXT,
    PRIMARY KEY (workspace_id, id)
) CLUSTERED;
CREATE INDEX pending_deliveries_due ON pending_deliveries (due_at);
CREATE INDEX pending_deliveries_webhook ON pending_deliveries (workspace_id, webhook_id, id);

-- What came to an end: status is succeeded, failed or canceled.
CREATE TABLE finished_deliveries (
    workspace_id BYTES NOT NULL,
    id BYTES NOT NULL,
    webhook_id BYTES NOT NULL,
    event_id BYTES NOT NULL,
    event_type TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts_made INT NOT NULL,
    last_response_status INT,
    completed_at INT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) CLUSTERED;
CREATE INDEX finished_deliveries_webhook ON finished_deliveries (workspace_id, webhook_id, id);

-- The body that was sent is not kept: it is the event, encoded as content_type, byte for byte.
CREATE TABLE attempts (
    workspace_id BYTES NOT NULL,
    delivery_id BYTES NOT NULL,
    number INT NOT NULL,
    attempt_trigger TEXT NOT NULL,
    started_at INT NOT NULL,
    duration_us INT NOT NULL,
    dns_us INT,
    connect_us INT,
    tls_us INT,
    first_byte_us INT,
    url TEXT NOT NULL,
    content_type TEXT NOT NULL,
    request_headers TEXT NOT NULL,
    response_status INT,
    response_headers TEXT,
    response_body BYTES,
    response_truncated INT NOT NULL,
    error_code TEXT,
    error TEXT,
    PRIMARY KEY (workspace_id, delivery_id, number)
) CLUSTERED;

-- What concerns no workspace has 16 zero bytes as its workspace.
CREATE TABLE audit_entries (
    workspace_id BYTES NOT NULL,
    id BYTES NOT NULL,
    at INT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id TEXT NOT NULL,
    source_address TEXT,
    request_id TEXT NOT NULL,
    changes TEXT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) CLUSTERED;

-- Answers to repeat for a request that comes again with the same Idempotency-Key. body is null while the first is under
-- way, and never holds a secret.
CREATE TABLE idempotent_answers (
    owner TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BYTES NOT NULL,
    status INT,
    body BYTES,
    expires_at INT NOT NULL,
    PRIMARY KEY (owner, idempotency_key)
) CLUSTERED;
CREATE INDEX idempotent_answers_expired ON idempotent_answers (expires_at);
