CREATE TABLE partition_counts (
  start_ms INTEGER PRIMARY KEY,
  counts   BLOB NOT NULL
);

ALTER TABLE control_origins ADD COLUMN epoch_no INTEGER NOT NULL DEFAULT 0;
CREATE INDEX control_origins_by_epoch ON control_origins(epoch_no);
