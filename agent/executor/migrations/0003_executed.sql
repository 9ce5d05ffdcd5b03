-- What was approved and has been started: one approval is one execution.
CREATE TABLE executed (
  leaf       BLOB PRIMARY KEY CHECK (length(leaf) = 32),
  started_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX executed_by_start ON executed (started_ms);
