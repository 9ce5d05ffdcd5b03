-- A segment of one lane's chain as it is after all migrations; a test proves the two equal. Rows are
-- added and never changed, apart from `progress`, `state` and its copy.

-- One row; written last when a segment is begun: without it the segment is none.
CREATE TABLE meta (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  epoch      BLOB NOT NULL CHECK (length(epoch) = 16),
  lane       INTEGER NOT NULL,
  number     INTEGER NOT NULL,  -- In the chain
  first_seq  INTEGER NOT NULL,  -- What is below is in earlier segments
  created_ms INTEGER NOT NULL
);

-- One row, written with every transaction.
CREATE TABLE progress (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  revision       INTEGER NOT NULL,  -- Transactions: tells whether one in doubt is there
  next_seq       INTEGER NOT NULL,
  next_series_id INTEGER NOT NULL
);

-- What is told of a batch when its content is gone. Heads are small and stand apart from the bodies,
-- so that one bad page does not take both.
CREATE TABLE batches (
  seq  INTEGER PRIMARY KEY,
  head BLOB NOT NULL
);

CREATE TABLE bodies (
  seq  INTEGER PRIMARY KEY,
  head BLOB NOT NULL,
  body BLOB NOT NULL
);

-- Batches of lane 0 that were committed with a unit of this lane, under their numbers in lane 0.
CREATE TABLE carried (
  seq    INTEGER PRIMARY KEY,
  beside INTEGER NOT NULL,  -- Number of the unit's first batch of this lane, or of the last before it
  head   BLOB NOT NULL,
  body   BLOB NOT NULL
);

-- Heads of the batches of the segment before this one that were pending when this one began.
CREATE TABLE known (
  seq  INTEGER PRIMARY KEY,
  head BLOB NOT NULL
);

-- Heads of batches that were given up; copied into each segment until they are acknowledged.
CREATE TABLE lost (
  seq    INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  head   BLOB NOT NULL
);

-- What must outlive batches: checkpoints, ledger, facts, series, forks. The newest segment's count.
CREATE TABLE state (
  kind  INTEGER NOT NULL,
  key   TEXT NOT NULL,
  value BLOB NOT NULL,  -- Ends with its checksum
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;

-- The same on other pages.
CREATE TABLE state_copy (
  kind  INTEGER NOT NULL,
  key   TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
