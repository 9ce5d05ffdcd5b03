-- state.db as it is after all migrations state_*.sql; a test proves the two equal.
-- Times are unix milliseconds; "packed" columns are protocol/sql/packed.h.

-- ---- who -----------------------------------------------------------------------------------------

CREATE TABLE agents (
  id                       TEXT PRIMARY KEY,
  tenant                   TEXT NOT NULL,
  shard                    INTEGER NOT NULL,
  state                    INTEGER NOT NULL,  -- model::AgentState
  hostname                 TEXT NOT NULL,
  machine_id_sha256        TEXT NOT NULL,
  token_id                 TEXT NOT NULL,
  spki_sha256              TEXT NOT NULL,
  certificate_pem          TEXT NOT NULL,
  certificate_serial       TEXT NOT NULL,
  certificate_not_after_ms INTEGER NOT NULL,
  sealing_public_key       BLOB NOT NULL CHECK (length(sealing_public_key) = 32),
  result_public_key        BLOB NOT NULL CHECK (length(result_public_key) = 32),
  labels                   BLOB NOT NULL,     -- Packed map
  enrolled_ms              INTEGER NOT NULL,
  revoked_ms               INTEGER NOT NULL,
  revoked_reason           TEXT NOT NULL,
  last_seen_ms             INTEGER NOT NULL,
  last_hello               BLOB               -- wire::encode_hello
);

-- With which key a token was used first: stays when the agent renews its key.
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
  labels         BLOB NOT NULL,  -- Packed map
  cidrs          BLOB NOT NULL,  -- Packed list
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
  detail TEXT NOT NULL,
  hash   BLOB CHECK (length(hash) = 32)  -- Of the chain; NULL: from before it, until the store is opened
);
CREATE INDEX audit_by_object ON audit(object, seq);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit WHEN OLD.hash IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE audit_heads (
  seq      INTEGER PRIMARY KEY,
  hash     BLOB NOT NULL CHECK (length(hash) = 32),
  ts_ms    INTEGER NOT NULL,
  envelope BLOB NOT NULL  -- As signed
);
CREATE TRIGGER audit_heads_are_never_changed BEFORE UPDATE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_heads_are_never_deleted BEFORE DELETE ON audit_heads
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

-- ---- what has arrived ------------------------------------------------------------------------------

-- A short number for each (agent, epoch); everything that arrives is filed under it.
CREATE TABLE epochs (
  no       INTEGER PRIMARY KEY,
  agent    TEXT NOT NULL,
  epoch    BLOB NOT NULL CHECK (length(epoch) = 16),
  first_ms INTEGER NOT NULL,
  series_high INTEGER NOT NULL DEFAULT 0,  -- Highest series id ever defined, also when it is gone
  gaps_told INTEGER NOT NULL DEFAULT 0,  -- Bit of each lane: an alert was raised after the spool was over
  UNIQUE (agent, epoch)
);

-- Lane 0: exact, written with the batch. Other lanes: as of the sealing named below, to which the
-- batches rows of younger partitions are added at start.
CREATE TABLE cursors (
  epoch_no   INTEGER NOT NULL,
  lane       INTEGER NOT NULL,
  contiguous INTEGER NOT NULL,
  ahead      BLOB NOT NULL,  -- Packed numbers: first and last of each run above a gap
  PRIMARY KEY (epoch_no, lane)
) WITHOUT ROWID;

-- Partitions that start no later than this are closed for writing and counted in cursors and stored.
CREATE TABLE sealing (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  sealed_through INTEGER NOT NULL
);

-- By which data is old: see age_clock.h.
CREATE TABLE known_time (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ms INTEGER NOT NULL
);

-- Content hashes of lane 0, the newest of each epoch: tells a repetition from a clone.
CREATE TABLE control_batches (
  epoch_no INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  hash     BLOB NOT NULL,
  PRIMARY KEY (epoch_no, seq)
) WITHOUT ROWID;

-- Batches whose inventory waits for the batches before them: deltas apply in order only.
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
  labels   BLOB NOT NULL,  -- Packed name, value, ...
  kind     INTEGER NOT NULL,
  used_ms  INTEGER NOT NULL DEFAULT 0,  -- Day of the newest sample or of the definition
  PRIMARY KEY (epoch_no, id)
) WITHOUT ROWID;
CREATE INDEX series_by_target ON series(epoch_no, target, name);

CREATE TABLE inventory_hosts (
  agent      TEXT PRIMARY KEY,
  updated_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE inventory (
  agent   TEXT NOT NULL,
  section INTEGER NOT NULL,  -- 0 host, 1 containers, 2 processes, 3 units, 4 ports
  key     TEXT NOT NULL,
  value   BLOB NOT NULL,     -- wire::encode_control of an update with this entry alone
  name    TEXT,              -- NULL: a row from before this column; named when the store is opened
  service TEXT NOT NULL DEFAULT '',    -- Of a container
  running INTEGER NOT NULL DEFAULT 0,  -- Of a container
  PRIMARY KEY (agent, section, key)
);
-- Holds all that lists of names and counts need: the values are not read.
CREATE INDEX inventory_names ON inventory(agent, section, key, name, service, running);

CREATE TABLE events (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  agent       TEXT NOT NULL,
  received_ms INTEGER NOT NULL,
  ts_ms       INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  target      TEXT NOT NULL,
  severity    INTEGER NOT NULL,
  message     TEXT NOT NULL,
  attributes  BLOB NOT NULL  -- Packed name, value, ...
);
CREATE INDEX events_by_agent ON events(agent, id);

-- What the agents say: the newest entry of each source.
CREATE TABLE ledger (
  epoch_no        INTEGER NOT NULL,
  source          TEXT NOT NULL,
  lane            INTEGER NOT NULL,
  as_of_seq       INTEGER NOT NULL,
  records_read    INTEGER NOT NULL,
  bytes_read      INTEGER NOT NULL,
  records_spooled INTEGER NOT NULL,
  records_dropped BLOB NOT NULL,  -- Packed counts
  bytes_dropped   BLOB NOT NULL,
  updated_ms      INTEGER NOT NULL,
  PRIMARY KEY (epoch_no, source, lane)
) WITHOUT ROWID;

-- What is stored of each source as of the last sealing.
CREATE TABLE stored (
  epoch_no       INTEGER NOT NULL,
  source         TEXT NOT NULL,
  lane           INTEGER NOT NULL,
  total          INTEGER NOT NULL,
  merged_through INTEGER NOT NULL,
  recent         BLOB NOT NULL,  -- Packed numbers: seq, count, ...
  updated_ms     INTEGER NOT NULL,
  expired        INTEGER NOT NULL DEFAULT 0,  -- Of the total, gone by retention
  PRIMARY KEY (epoch_no, source, lane)
) WITHOUT ROWID;

-- What each sealed partition holds of each source: known also when it is damaged. Removed with it.
CREATE TABLE partition_counts (
  start_ms INTEGER PRIMARY KEY,
  counts   BLOB NOT NULL  -- Packed numbers: epoch_no, lane, source_mark() of partition_counts.h, records ...
);

-- What was declared lost of each source: lane 0 exact, the others as of the last sealing.
CREATE TABLE lost (
  epoch_no       INTEGER NOT NULL,
  source         TEXT NOT NULL,
  lane           INTEGER NOT NULL,
  total          INTEGER NOT NULL,
  merged_through INTEGER NOT NULL,
  recent         BLOB NOT NULL,  -- Packed numbers: seq, count, ...
  records        BLOB NOT NULL,  -- Packed counts by reason
  bytes          BLOB NOT NULL,  -- Packed counts by reason
  PRIMARY KEY (epoch_no, source, lane)
) WITHOUT ROWID;

-- Lane 0: content that is stored under another number than the one a copied spool gave it first.
CREATE TABLE control_origins (
  epoch    BLOB NOT NULL CHECK (length(epoch) = 16),
  seq      INTEGER NOT NULL,
  hash     BLOB NOT NULL,
  epoch_no INTEGER NOT NULL DEFAULT 0,  -- To which it was moved, and with which the row goes
  PRIMARY KEY (epoch, seq, hash)
) WITHOUT ROWID;
CREATE INDEX control_origins_by_epoch ON control_origins(epoch_no);

-- ---- remediation ---------------------------------------------------------------------------------

CREATE TABLE plans (
  id          TEXT PRIMARY KEY,
  tenant      TEXT NOT NULL,
  action      TEXT NOT NULL,
  created_ms  INTEGER NOT NULL,
  state       INTEGER NOT NULL,  -- model::PlanState
  since_ms    INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,  -- 0 exactly when it is over
  revision    INTEGER NOT NULL,
  wish        BLOB NOT NULL,     -- Packed, what was asked for: never changes
  progress    BLOB NOT NULL      -- Packed
) WITHOUT ROWID;
CREATE INDEX plans_by_age ON plans(tenant, created_ms);
CREATE INDEX plans_unfinished ON plans(created_ms) WHERE deadline_ms > 0;

CREATE TABLE plan_targets (
  plan     TEXT NOT NULL REFERENCES plans(id) ON DELETE CASCADE,
  agent    TEXT NOT NULL,
  place    INTEGER NOT NULL,  -- Its leaf in the batch
  state    INTEGER NOT NULL,  -- model::TargetState
  since_ms INTEGER NOT NULL,
  target   TEXT NOT NULL,
  intent   BLOB NOT NULL,     -- wire::encode_intent
  wave     INTEGER NOT NULL,
  dry_runs INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  policy   BLOB NOT NULL CHECK (length(policy) = 32),
  baseline BLOB NOT NULL,     -- Packed
  done_ms  INTEGER NOT NULL,
  detail   TEXT NOT NULL,
  PRIMARY KEY (plan, agent)
) WITHOUT ROWID;
CREATE INDEX plan_targets_by_age ON plan_targets(since_ms) WHERE attempts > 0;

-- A person's last word.
CREATE TABLE approvals (
  plan        TEXT NOT NULL REFERENCES plans(id) ON DELETE CASCADE,
  person      TEXT NOT NULL,
  key_id      TEXT NOT NULL,
  decision    INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  envelope    BLOB NOT NULL,  -- As received
  received_ms INTEGER NOT NULL,
  expires_ms  INTEGER NOT NULL,
  PRIMARY KEY (plan, person)
) WITHOUT ROWID;

CREATE TABLE commands (
  id         BLOB PRIMARY KEY CHECK (length(id) = 16),
  plan       TEXT NOT NULL REFERENCES plans(id) ON DELETE CASCADE,
  tenant     TEXT NOT NULL,
  agent      TEXT NOT NULL,
  mode       INTEGER NOT NULL,  -- wire::CommandMode
  attempt    INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  envelope   BLOB NOT NULL,     -- As signed
  sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
  issued_ms  INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  state      INTEGER NOT NULL,  -- model::CommandState
  UNIQUE (plan, agent, mode, attempt),
  UNIQUE (agent, seq)
);
CREATE INDEX commands_by_hash ON commands(sha256);
CREATE INDEX commands_by_age ON commands(tenant, issued_ms);

-- In the transaction of the batch that brought it.
CREATE TABLE command_results (
  no          INTEGER PRIMARY KEY,
  command     BLOB NOT NULL REFERENCES commands(id) ON DELETE CASCADE,
  agent       TEXT NOT NULL,
  hash        BLOB NOT NULL CHECK (length(hash) = 32),
  envelope    BLOB NOT NULL,  -- As signed
  received_ms INTEGER NOT NULL,
  valid       INTEGER,        -- NULL: not looked at yet
  UNIQUE (command, hash)
);
CREATE INDEX command_results_unchecked ON command_results(no) WHERE valid IS NULL;

-- The highest ever given out.
CREATE TABLE command_seqs (
  agent TEXT PRIMARY KEY,
  seq   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE maintenance_freezes (
  tenant   TEXT PRIMARY KEY,
  active   INTEGER NOT NULL,
  reason   TEXT NOT NULL,
  person   TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- ---- what was foretold, and what became of it ------------------------------------------------------

CREATE TABLE predictions (
  no        INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant    TEXT NOT NULL,
  agent     TEXT NOT NULL,
  kind      TEXT NOT NULL,
  target    TEXT NOT NULL,
  instance  TEXT NOT NULL,
  state     INTEGER NOT NULL,  -- model::PredictionState
  opened_ms INTEGER NOT NULL,
  closed_ms INTEGER NOT NULL,  -- 0: it is open
  event_ms  INTEGER NOT NULL,  -- 0: none was seen
  incident  INTEGER NOT NULL,  -- 0: none
  body      BLOB NOT NULL      -- Packed
);
CREATE INDEX predictions_open ON predictions(opened_ms) WHERE closed_ms = 0;
CREATE INDEX predictions_by_age ON predictions(tenant, opened_ms);
-- Of what happened without a prediction.
CREATE UNIQUE INDEX predictions_by_event ON predictions(agent, kind, target, instance, event_ms)
  WHERE event_ms > 0 AND state <> 2;

CREATE TABLE prediction_samples (
  prediction INTEGER NOT NULL REFERENCES predictions(no) ON DELETE CASCADE,
  ts_ms      INTEGER NOT NULL,
  used       REAL NOT NULL,
  maximum    REAL NOT NULL,
  PRIMARY KEY (prediction, ts_ms)
) WITHOUT ROWID;

CREATE TABLE incidents (
  no         INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant     TEXT NOT NULL,
  kind       TEXT NOT NULL,
  agent      TEXT NOT NULL,
  target     TEXT NOT NULL,
  title      TEXT NOT NULL,
  opened_ms  INTEGER NOT NULL,
  closed_ms  INTEGER NOT NULL,  -- 0: it is open
  outcome    TEXT NOT NULL,
  prediction INTEGER NOT NULL REFERENCES predictions(no) ON DELETE CASCADE,
  suggested  BLOB NOT NULL      -- Packed
);
CREATE INDEX incidents_by_age ON incidents(tenant, opened_ms);
CREATE INDEX incidents_of_prediction ON incidents(prediction);

-- What the forecasters have learned.
CREATE TABLE outlook_followed (
  agent    TEXT NOT NULL,
  kind     TEXT NOT NULL,
  target   TEXT NOT NULL,
  instance TEXT NOT NULL,
  saved_ms INTEGER NOT NULL,
  state    BLOB NOT NULL CHECK (length(state) <= 4096),
  PRIMARY KEY (agent, kind, target, instance)
) WITHOUT ROWID;

-- How well probabilities were stated.
CREATE TABLE outlook_calibration (
  agent TEXT NOT NULL,
  kind  TEXT NOT NULL,
  state BLOB NOT NULL CHECK (length(state) <= 4096),
  PRIMARY KEY (agent, kind)
) WITHOUT ROWID;

-- The newest event that was looked at.
CREATE TABLE outlook_seen (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  event INTEGER NOT NULL
);

-- Whether a tenant wants predictions; none: yes.
CREATE TABLE prediction_switches (
  tenant   TEXT PRIMARY KEY,
  enabled  INTEGER NOT NULL,
  person   TEXT NOT NULL,
  since_ms INTEGER NOT NULL
) WITHOUT ROWID;
