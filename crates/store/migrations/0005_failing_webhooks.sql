-- What tells a webhook that fails for days from one that failed a few times.

-- Beside failing_since, of the same row of failures: the last of them, as far as it was written down; the delivery of the
-- first, and whether others failed too; when somebody was warned.
ALTER TABLE webhooks ADD COLUMN failing_last_at INT;
ALTER TABLE webhooks ADD COLUMN failing_delivery BYTES;
ALTER TABLE webhooks ADD COLUMN failing_several INT NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN failing_warned_at INT;
