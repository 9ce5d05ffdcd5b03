-- What an execution that did not end may have left: Action::recover() puts it right and the row goes.
CREATE TABLE recoveries (
  command BLOB PRIMARY KEY CHECK (length(command) = 16),
  target  TEXT NOT NULL,
  action  TEXT NOT NULL,
  state   TEXT NOT NULL  -- Assessment::state before it began
);
