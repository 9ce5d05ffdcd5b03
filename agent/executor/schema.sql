-- Commands that passed every check up to the ledger's own. state: 1 received, 2 started, 3 done.
CREATE TABLE commands (
  id          BLOB PRIMARY KEY CHECK (length(id) = 16),
  sha256      BLOB NOT NULL CHECK (length(sha256) = 32),
  seq         INTEGER NOT NULL,
  execute     INTEGER NOT NULL,
  state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
  target      TEXT NOT NULL DEFAULT '',
  action      TEXT NOT NULL DEFAULT '',
  received_ms INTEGER NOT NULL,
  started_ms  INTEGER NOT NULL DEFAULT 0,
  draft       BLOB NOT NULL,
  result      BLOB NOT NULL DEFAULT x'',
  result_sha256 BLOB,
  spooled     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX commands_by_seq ON commands (seq);
CREATE INDEX commands_by_start ON commands (started_ms) WHERE started_ms > 0;
CREATE INDEX commands_open ON commands (state) WHERE state < 3;
CREATE INDEX commands_unspooled ON commands (seq) WHERE state = 3 AND spooled = 0;
CREATE INDEX commands_by_result ON commands (result_sha256);

-- What outlives the rows: sequences of one enrollment ascend for ever.
CREATE TABLE sequence (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  enrollment BLOB NOT NULL CHECK (length(enrollment) = 16),
  highest    INTEGER NOT NULL
);

-- What an execution that did not end may have left: Action::recover() puts it right and the row goes.
CREATE TABLE recoveries (
  command BLOB PRIMARY KEY CHECK (length(command) = 16),
  target  TEXT NOT NULL,
  action  TEXT NOT NULL,
  state   TEXT NOT NULL  -- Assessment::state before it began
);

-- What was approved and has been started: one approval is one execution. leaf: sha256 of the intent.
CREATE TABLE executed (
  leaf       BLOB PRIMARY KEY CHECK (length(leaf) = 32),
  started_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX executed_by_start ON executed (started_ms);
