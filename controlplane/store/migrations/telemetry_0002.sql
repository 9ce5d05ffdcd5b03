CREATE TABLE accounts (
  no   INTEGER PRIMARY KEY,
  body BLOB NOT NULL
);

CREATE TABLE origins (
  epoch BLOB NOT NULL CHECK (length(epoch) = 16),
  lane  INTEGER NOT NULL,
  seq   INTEGER NOT NULL,
  hash  BLOB NOT NULL,
  PRIMARY KEY (epoch, lane, seq, hash)
) WITHOUT ROWID;
