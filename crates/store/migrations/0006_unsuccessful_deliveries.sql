-- Deliveries that did not succeed, little among much, are found past all that did, and filtered without a look at their rows.
CREATE INDEX finished_deliveries_unsuccessful
    ON finished_deliveries (workspace_id, id, status, event_type, last_response_status) WHERE status <> 'succeeded';
CREATE INDEX finished_deliveries_unsuccessful_webhook
    ON finished_deliveries (workspace_id, webhook_id, id, status, event_type, last_response_status)
    WHERE status <> 'succeeded';
