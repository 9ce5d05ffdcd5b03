ALTER TABLE audit ADD COLUMN hash BLOB CHECK (length(hash) = 32);
DROP TRIGGER audit_is_never_changed;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit WHEN OLD.hash IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE audit_heads (
  seq      INTEGER PRIMARY KEY,
  hash     BLOB NOT NULL CHECK (length(hash) = 32),
  ts_ms    INTEGER NOT NULL,
  envelope BLOB NOT NULL
);
CREATE TRIGGER audit_heads_are_never_changed BEFORE UPDATE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_heads_are_never_deleted BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
