-- The spool's schema as it is after all migrations; a test proves the two equal.

-- One row. The epoch is made with the database; series ids are never reused within it.
CREATE TABLE meta (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  epoch          BLOB NOT NULL CHECK (length(epoch) = 16),
  created_ms     INTEGER NOT NULL,
  next_series_id INTEGER NOT NULL
);

-- What must outlive the batches: the next number, also when everything was acknowledged.
CREATE TABLE lanes (
  lane     INTEGER PRIMARY KEY,
  next_seq INTEGER NOT NULL,
  bytes    INTEGER NOT NULL  -- Of the bodies kept
);

-- In each lane the numbers have no holes: oldest .. next_seq - 1.
CREATE TABLE batches (
  lane        INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  n           INTEGER NOT NULL,
  first_ts_ms INTEGER NOT NULL,
  last_ts_ms  INTEGER NOT NULL,
  codec       INTEGER NOT NULL,
  size        INTEGER NOT NULL,  -- Of the body: sums need not touch it
  body        BLOB NOT NULL,
  PRIMARY KEY (lane, seq)
);

-- How far each source has been read; written with the batches that hold what was read.
CREATE TABLE checkpoints (
  source TEXT PRIMARY KEY,
  state  BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE series (
  id     INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  name   TEXT NOT NULL,
  labels BLOB NOT NULL,  -- Packed name, value, ...
  kind   INTEGER NOT NULL
);

CREATE TABLE ledger (
  source          TEXT NOT NULL,
  lane            INTEGER NOT NULL,
  as_of_seq       INTEGER NOT NULL,
  records_read    INTEGER NOT NULL,
  bytes_read      INTEGER NOT NULL,
  records_spooled INTEGER NOT NULL,
  records_dropped BLOB NOT NULL,  -- Packed reason, count, ...
  bytes_dropped   BLOB NOT NULL,
  PRIMARY KEY (source, lane)
) WITHOUT ROWID;

CREATE TABLE facts (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
