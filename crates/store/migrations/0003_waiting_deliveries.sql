-- What a node has taken and what is due is found by when it is due; what waits at its webhook, for room or for that to be
-- enabled, by its webhook: due just before the end of time, or at it. Each is in one of the two, so that a long queue is
-- in nobody's way, and a delivery that is made at once is never in the second.
DROP INDEX pending_deliveries_due;
CREATE INDEX pending_deliveries_due ON pending_deliveries (due_at) WHERE due_at < 9223372036854775806;
CREATE INDEX pending_deliveries_waiting ON pending_deliveries (workspace_id, webhook_id, due_at, id)
    WHERE due_at >= 9223372036854775806;

-- What a node had in its care, by the way before: it is due again.
UPDATE pending_deliveries SET due_at = next_attempt_at, leased_by = NULL
    WHERE leased_by LIKE '%~' AND due_at < 9223372036854775806;
