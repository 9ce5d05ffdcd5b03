ALTER TABLE epochs ADD COLUMN series_high INTEGER NOT NULL DEFAULT 0;
UPDATE epochs SET series_high = (SELECT coalesce(max(id), 0) FROM series WHERE epoch_no = epochs.no);

ALTER TABLE series ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;
UPDATE series SET used_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
