CREATE TABLE meta (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  epoch          BLOB NOT NULL CHECK (length(epoch) = 16),
  created_ms     INTEGER NOT NULL,
  next_series_id INTEGER NOT NULL
);

CREATE TABLE lanes (
  lane     INTEGER PRIMARY KEY,
  next_seq INTEGER NOT NULL,
  bytes    INTEGER NOT NULL
);

CREATE TABLE batches (
  lane        INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  n           INTEGER NOT NULL,
  first_ts_ms INTEGER NOT NULL,
  last_ts_ms  INTEGER NOT NULL,
  codec       INTEGER NOT NULL,
  size        INTEGER NOT NULL,
  body        BLOB NOT NULL,
  PRIMARY KEY (lane, seq)
);

CREATE TABLE checkpoints (
  source TEXT PRIMARY KEY,
  state  BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE series (
  id     INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  name   TEXT NOT NULL,
  labels BLOB NOT NULL,
  kind   INTEGER NOT NULL
);

CREATE TABLE ledger (
  source          TEXT NOT NULL,
  lane            INTEGER NOT NULL,
  as_of_seq       INTEGER NOT NULL,
  records_read    INTEGER NOT NULL,
  bytes_read      INTEGER NOT NULL,
  records_spooled INTEGER NOT NULL,
  records_dropped BLOB NOT NULL,
  bytes_dropped   BLOB NOT NULL,
  PRIMARY KEY (source, lane)
) WITHOUT ROWID;

CREATE TABLE facts (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
