-- telemetry/p-<start>.db as it is after all migrations telemetry_*.sql; a test proves the two equal.

-- One row: the times of all data in this partition, for leaving whole partitions out of a query.
CREATE TABLE bounds (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  first_ms INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL
);

-- One row for each batch; its number is also that of its chunk. Ascending in order of arrival.
CREATE TABLE batches (
  no       INTEGER PRIMARY KEY,
  epoch_no INTEGER NOT NULL,
  lane     INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  hash     BLOB NOT NULL,  -- First 16 bytes of the sha256 of the body
  n        INTEGER NOT NULL,
  codec    INTEGER NOT NULL,
  UNIQUE (epoch_no, lane, seq)
);

-- Batches that have no chunk here: a LossNotice for each (batch.proto). The reason "moved" says that its
-- signals are stored under the batch's origin.
CREATE TABLE accounts (
  no   INTEGER PRIMARY KEY,
  body BLOB NOT NULL
);

-- Content that is stored under another number than the one a copied spool gave it first.
CREATE TABLE origins (
  epoch BLOB NOT NULL CHECK (length(epoch) = 16),
  lane  INTEGER NOT NULL,
  seq   INTEGER NOT NULL,
  hash  BLOB NOT NULL,
  PRIMARY KEY (epoch, lane, seq, hash)
) WITHOUT ROWID;

CREATE TABLE sample_chunks (
  no       INTEGER PRIMARY KEY,
  epoch_no INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL,
  codec    INTEGER NOT NULL,
  body     BLOB NOT NULL
);
CREATE INDEX sample_chunks_by_time ON sample_chunks(epoch_no, last_ms, first_ms);

CREATE TABLE log_chunks (
  no    INTEGER PRIMARY KEY,
  codec INTEGER NOT NULL,
  body  BLOB NOT NULL
);

CREATE TABLE targets (
  no     INTEGER PRIMARY KEY,
  target TEXT NOT NULL UNIQUE
);

-- Which chunk holds how much of which target, and of what time.
CREATE TABLE log_index (
  epoch_no  INTEGER NOT NULL,
  target_no INTEGER NOT NULL,
  last_ns   INTEGER NOT NULL,
  chunk     INTEGER NOT NULL,
  first_ns  INTEGER NOT NULL,
  n         INTEGER NOT NULL,
  PRIMARY KEY (epoch_no, target_no, last_ns, chunk)
) WITHOUT ROWID;
