-- What was foretold, and what became of it.

CREATE TABLE predictions (
  no        INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant    TEXT NOT NULL,
  agent     TEXT NOT NULL,
  kind      TEXT NOT NULL,
  target    TEXT NOT NULL,
  instance  TEXT NOT NULL,
  state     INTEGER NOT NULL,  -- model::PredictionState
  opened_ms INTEGER NOT NULL,
  closed_ms INTEGER NOT NULL,  -- 0: it is open
  event_ms  INTEGER NOT NULL,  -- 0: none was seen
  incident  INTEGER NOT NULL,  -- 0: none
  body      BLOB NOT NULL      -- Packed
);
CREATE INDEX predictions_open ON predictions(opened_ms) WHERE closed_ms = 0;
CREATE INDEX predictions_by_age ON predictions(tenant, opened_ms);
-- Of what happened without a prediction.
CREATE UNIQUE INDEX predictions_by_event ON predictions(agent, kind, target, instance, event_ms)
  WHERE event_ms > 0 AND state <> 2;

CREATE TABLE prediction_samples (
  prediction INTEGER NOT NULL REFERENCES predictions(no) ON DELETE CASCADE,
  ts_ms      INTEGER NOT NULL,
  used       REAL NOT NULL,
  maximum    REAL NOT NULL,
  PRIMARY KEY (prediction, ts_ms)
) WITHOUT ROWID;

CREATE TABLE incidents (
  no         INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant     TEXT NOT NULL,
  kind       TEXT NOT NULL,
  agent      TEXT NOT NULL,
  target     TEXT NOT NULL,
  title      TEXT NOT NULL,
  opened_ms  INTEGER NOT NULL,
  closed_ms  INTEGER NOT NULL,  -- 0: it is open
  outcome    TEXT NOT NULL,
  prediction INTEGER NOT NULL REFERENCES predictions(no) ON DELETE CASCADE,
  suggested  BLOB NOT NULL      -- Packed
);
CREATE INDEX incidents_by_age ON incidents(tenant, opened_ms);
CREATE INDEX incidents_of_prediction ON incidents(prediction);

-- What the forecasters have learned.
CREATE TABLE outlook_followed (
  agent    TEXT NOT NULL,
  kind     TEXT NOT NULL,
  target   TEXT NOT NULL,
  instance TEXT NOT NULL,
  saved_ms INTEGER NOT NULL,
  state    BLOB NOT NULL CHECK (length(state) <= 4096),
  PRIMARY KEY (agent, kind, target, instance)
) WITHOUT ROWID;

-- How well probabilities were stated.
CREATE TABLE outlook_calibration (
  agent TEXT NOT NULL,
  kind  TEXT NOT NULL,
  state BLOB NOT NULL CHECK (length(state) <= 4096),
  PRIMARY KEY (agent, kind)
) WITHOUT ROWID;

-- The newest event that was looked at.
CREATE TABLE outlook_seen (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  event INTEGER NOT NULL
);

-- Whether a tenant wants predictions; none: yes.
CREATE TABLE prediction_switches (
  tenant   TEXT PRIMARY KEY,
  enabled  INTEGER NOT NULL,
  person   TEXT NOT NULL,
  since_ms INTEGER NOT NULL
) WITHOUT ROWID;
