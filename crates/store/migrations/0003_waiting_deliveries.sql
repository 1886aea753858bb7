-- What waits for room at its webhook: due just before the end of time, and found by its webhook, the oldest first, however
-- much else is pending. A delivery that is made at once is never in this index.
CREATE INDEX pending_deliveries_waiting ON pending_deliveries (workspace_id, webhook_id, id)
    WHERE due_at = 9223372036854775806;

-- What a node had in its care, by the way before: it is due again.
UPDATE pending_deliveries SET due_at = next_attempt_at, leased_by = NULL
    WHERE leased_by LIKE '%~' AND due_at < 9223372036854775806;
