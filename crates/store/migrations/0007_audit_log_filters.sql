-- What the audit log is filtered by, each newest first. Entries are few beside deliveries, and only ever added.
CREATE INDEX audit_entries_actor ON audit_entries (workspace_id, actor_id, id);
CREATE INDEX audit_entries_action ON audit_entries (workspace_id, action, id);
CREATE INDEX audit_entries_target ON audit_entries (workspace_id, target_id, id);
