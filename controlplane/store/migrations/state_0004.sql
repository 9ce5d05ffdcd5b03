CREATE TABLE lost (
  epoch_no       INTEGER NOT NULL,
  source         TEXT NOT NULL,
  lane           INTEGER NOT NULL,
  total          INTEGER NOT NULL,
  merged_through INTEGER NOT NULL,
  recent         BLOB NOT NULL,
  records        BLOB NOT NULL,
  bytes          BLOB NOT NULL,
  PRIMARY KEY (epoch_no, source, lane)
) WITHOUT ROWID;

CREATE TABLE control_origins (
  epoch BLOB NOT NULL CHECK (length(epoch) = 16),
  seq   INTEGER NOT NULL,
  hash  BLOB NOT NULL,
  PRIMARY KEY (epoch, seq, hash)
) WITHOUT ROWID;

ALTER TABLE stored ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;
