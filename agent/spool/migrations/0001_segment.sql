CREATE TABLE meta (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  epoch      BLOB NOT NULL CHECK (length(epoch) = 16),
  lane       INTEGER NOT NULL,
  number     INTEGER NOT NULL,
  first_seq  INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
);

CREATE TABLE progress (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  revision       INTEGER NOT NULL,
  next_seq       INTEGER NOT NULL,
  next_series_id INTEGER NOT NULL
);

CREATE TABLE batches (
  seq  INTEGER PRIMARY KEY,
  head BLOB NOT NULL
);

CREATE TABLE bodies (
  seq  INTEGER PRIMARY KEY,
  head BLOB NOT NULL,
  body BLOB NOT NULL
);

CREATE TABLE carried (
  seq    INTEGER PRIMARY KEY,
  beside INTEGER NOT NULL,
  head   BLOB NOT NULL,
  body   BLOB NOT NULL
);

CREATE TABLE known (
  seq  INTEGER PRIMARY KEY,
  head BLOB NOT NULL
);

CREATE TABLE lost (
  seq    INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  head   BLOB NOT NULL
);

CREATE TABLE state (
  kind  INTEGER NOT NULL,
  key   TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;

CREATE TABLE state_copy (
  kind  INTEGER NOT NULL,
  key   TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
