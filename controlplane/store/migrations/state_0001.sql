CREATE TABLE agents (
  id                       TEXT PRIMARY KEY,
  tenant                   TEXT NOT NULL,
  shard                    INTEGER NOT NULL,
  state                    INTEGER NOT NULL,
  hostname                 TEXT NOT NULL,
  machine_id_sha256        TEXT NOT NULL,
  token_id                 TEXT NOT NULL,
  spki_sha256              TEXT NOT NULL,
  certificate_pem          TEXT NOT NULL,
  certificate_serial       TEXT NOT NULL,
  certificate_not_after_ms INTEGER NOT NULL,
  sealing_public_key       BLOB NOT NULL CHECK (length(sealing_public_key) = 32),
  result_public_key        BLOB NOT NULL CHECK (length(result_public_key) = 32),
  labels                   BLOB NOT NULL,
  enrolled_ms              INTEGER NOT NULL,
  revoked_ms               INTEGER NOT NULL,
  revoked_reason           TEXT NOT NULL,
  last_seen_ms             INTEGER NOT NULL,
  last_hello               BLOB
);

CREATE TABLE enrollments (
  token_id    TEXT NOT NULL,
  spki_sha256 TEXT NOT NULL,
  agent       TEXT NOT NULL REFERENCES agents(id),
  PRIMARY KEY (token_id, spki_sha256)
) WITHOUT ROWID;

CREATE TABLE tokens (
  id             TEXT PRIMARY KEY,
  secret_sha256  TEXT NOT NULL,
  tenant         TEXT NOT NULL,
  labels         BLOB NOT NULL,
  cidrs          BLOB NOT NULL,
  host_pattern   TEXT NOT NULL,
  uses_allowed   INTEGER NOT NULL,
  uses           INTEGER NOT NULL CHECK (uses <= uses_allowed),
  needs_approval INTEGER NOT NULL,
  created_ms     INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  revoked_ms     INTEGER NOT NULL,
  created_by     TEXT NOT NULL
);

CREATE TABLE api_keys (
  id            TEXT PRIMARY KEY,
  secret_sha256 TEXT NOT NULL,
  user          TEXT NOT NULL,
  tenant        TEXT NOT NULL,
  role          INTEGER NOT NULL,
  created_ms    INTEGER NOT NULL,
  expires_ms    INTEGER NOT NULL,
  last_used_ms  INTEGER NOT NULL,
  revoked_ms    INTEGER NOT NULL
);

CREATE TABLE login_codes (
  code_sha256 TEXT PRIMARY KEY,
  user        TEXT NOT NULL,
  tenant      TEXT NOT NULL,
  role        INTEGER NOT NULL,
  expires_ms  INTEGER NOT NULL,
  used_ms     INTEGER NOT NULL
);

CREATE TABLE audit (
  seq    INTEGER PRIMARY KEY AUTOINCREMENT,
  ts_ms  INTEGER NOT NULL,
  actor  TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  detail TEXT NOT NULL
);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE alerts (
  kind     TEXT NOT NULL,
  agent    TEXT NOT NULL,
  object   TEXT NOT NULL,
  message  TEXT NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  PRIMARY KEY (kind, agent, object)
) WITHOUT ROWID;

CREATE TABLE epochs (
  no       INTEGER PRIMARY KEY,
  agent    TEXT NOT NULL,
  epoch    BLOB NOT NULL CHECK (length(epoch) = 16),
  first_ms INTEGER NOT NULL,
  UNIQUE (agent, epoch)
);

CREATE TABLE cursors (
  epoch_no   INTEGER NOT NULL,
  lane       INTEGER NOT NULL,
  contiguous INTEGER NOT NULL,
  ahead      BLOB NOT NULL,
  PRIMARY KEY (epoch_no, lane)
) WITHOUT ROWID;

CREATE TABLE sealing (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  sealed_through INTEGER NOT NULL
);

CREATE TABLE control_batches (
  epoch_no INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  hash     BLOB NOT NULL,
  PRIMARY KEY (epoch_no, seq)
) WITHOUT ROWID;

CREATE TABLE control_waiting (
  epoch_no INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  codec    INTEGER NOT NULL,
  body     BLOB NOT NULL,
  PRIMARY KEY (epoch_no, seq)
);

CREATE TABLE series (
  epoch_no INTEGER NOT NULL,
  id       INTEGER NOT NULL,
  target   TEXT NOT NULL,
  name     TEXT NOT NULL,
  labels   BLOB NOT NULL,
  kind     INTEGER NOT NULL,
  PRIMARY KEY (epoch_no, id)
) WITHOUT ROWID;
CREATE INDEX series_by_target ON series(epoch_no, target, name);

CREATE TABLE inventory_hosts (
  agent      TEXT PRIMARY KEY,
  updated_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE inventory (
  agent   TEXT NOT NULL,
  section INTEGER NOT NULL,
  key     TEXT NOT NULL,
  value   BLOB NOT NULL,
  PRIMARY KEY (agent, section, key)
);

CREATE TABLE events (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  agent       TEXT NOT NULL,
  received_ms INTEGER NOT NULL,
  ts_ms       INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  target      TEXT NOT NULL,
  severity    INTEGER NOT NULL,
  message     TEXT NOT NULL,
  attributes  BLOB NOT NULL
);
CREATE INDEX events_by_agent ON events(agent, id);

CREATE TABLE ledger (
  epoch_no        INTEGER NOT NULL,
  source          TEXT NOT NULL,
  lane            INTEGER NOT NULL,
  as_of_seq       INTEGER NOT NULL,
  records_read    INTEGER NOT NULL,
  bytes_read      INTEGER NOT NULL,
  records_spooled INTEGER NOT NULL,
  records_dropped BLOB NOT NULL,
  bytes_dropped   BLOB NOT NULL,
  updated_ms      INTEGER NOT NULL,
  PRIMARY KEY (epoch_no, source, lane)
) WITHOUT ROWID;

CREATE TABLE stored (
  epoch_no       INTEGER NOT NULL,
  source         TEXT NOT NULL,
  lane           INTEGER NOT NULL,
  total          INTEGER NOT NULL,
  merged_through INTEGER NOT NULL,
  recent         BLOB NOT NULL,
  updated_ms     INTEGER NOT NULL,
  PRIMARY KEY (epoch_no, source, lane)
) WITHOUT ROWID;
