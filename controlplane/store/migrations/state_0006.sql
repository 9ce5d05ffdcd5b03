CREATE TABLE partition_counts (
  start_ms INTEGER PRIMARY KEY,
  counts   BLOB NOT NULL
);
