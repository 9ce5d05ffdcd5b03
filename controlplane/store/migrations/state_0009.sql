CREATE TABLE plans (
  id          TEXT PRIMARY KEY,
  tenant      TEXT NOT NULL,
  action      TEXT NOT NULL,
  created_ms  INTEGER NOT NULL,
  state       INTEGER NOT NULL,
  since_ms    INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  revision    INTEGER NOT NULL,
  wish        BLOB NOT NULL,
  progress    BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX plans_by_age ON plans(tenant, created_ms);
CREATE INDEX plans_unfinished ON plans(created_ms) WHERE deadline_ms > 0;

CREATE TABLE plan_targets (
  plan     TEXT NOT NULL REFERENCES plans(id) ON DELETE CASCADE,
  agent    TEXT NOT NULL,
  place    INTEGER NOT NULL,
  state    INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  target   TEXT NOT NULL,
  intent   BLOB NOT NULL,
  wave     INTEGER NOT NULL,
  dry_runs INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  policy   BLOB NOT NULL CHECK (length(policy) = 32),
  baseline BLOB NOT NULL,
  done_ms  INTEGER NOT NULL,
  detail   TEXT NOT NULL,
  PRIMARY KEY (plan, agent)
) WITHOUT ROWID;
CREATE INDEX plan_targets_by_age ON plan_targets(since_ms) WHERE attempts > 0;

CREATE TABLE approvals (
  plan        TEXT NOT NULL REFERENCES plans(id) ON DELETE CASCADE,
  person      TEXT NOT NULL,
  key_id      TEXT NOT NULL,
  decision    INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  envelope    BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  expires_ms  INTEGER NOT NULL,
  PRIMARY KEY (plan, person)
) WITHOUT ROWID;

CREATE TABLE commands (
  id         BLOB PRIMARY KEY CHECK (length(id) = 16),
  plan       TEXT NOT NULL REFERENCES plans(id) ON DELETE CASCADE,
  tenant     TEXT NOT NULL,
  agent      TEXT NOT NULL,
  mode       INTEGER NOT NULL,
  attempt    INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  envelope   BLOB NOT NULL,
  sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
  issued_ms  INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  state      INTEGER NOT NULL,
  UNIQUE (plan, agent, mode, attempt),
  UNIQUE (agent, seq)
);
CREATE INDEX commands_by_hash ON commands(sha256);
CREATE INDEX commands_by_age ON commands(tenant, issued_ms);

CREATE TABLE command_results (
  no          INTEGER PRIMARY KEY,
  command     BLOB NOT NULL REFERENCES commands(id) ON DELETE CASCADE,
  agent       TEXT NOT NULL,
  hash        BLOB NOT NULL CHECK (length(hash) = 32),
  envelope    BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  valid       INTEGER,
  UNIQUE (command, hash)
);
CREATE INDEX command_results_unchecked ON command_results(no) WHERE valid IS NULL;

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
