ALTER TABLE inventory ADD COLUMN name TEXT;
ALTER TABLE inventory ADD COLUMN service TEXT NOT NULL DEFAULT '';
ALTER TABLE inventory ADD COLUMN running INTEGER NOT NULL DEFAULT 0;
CREATE INDEX inventory_names ON inventory(agent, section, key, name, service, running);
