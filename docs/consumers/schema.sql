-- Tables for what gateways send, for SQLite and PostgreSQL. A reading is (gateway, run, sensor, seq), so a message that
-- arrives twice changes nothing. docs/verify.md has the queries that find what is missing.
CREATE TABLE IF NOT EXISTS readings (
  gateway TEXT NOT NULL, run TEXT NOT NULL, sensor TEXT NOT NULL, seq BIGINT NOT NULL,
  seq_to BIGINT,            -- of a bucket, which stands for the readings from seq to seq_to; else null
  ts TEXT,                  -- null: the time was not known; then up is given, and clocks has the power-up
  up DOUBLE PRECISION,      -- seconds since power-up
  fields TEXT NOT NULL,     -- a JSON object: a value, null, or mean, min and max of a bucket
  bad TEXT,                 -- a JSON object: why a field is null; else null
  PRIMARY KEY (gateway, run, sensor, seq));
CREATE INDEX IF NOT EXISTS readings_time ON readings (sensor, ts);
CREATE TABLE IF NOT EXISTS losses (gateway TEXT, run TEXT, sensor TEXT, first BIGINT, last BIGINT, reason TEXT,
  PRIMARY KEY (gateway, run, sensor, first, last, reason));
CREATE TABLE IF NOT EXISTS run_ends (gateway TEXT, next TEXT, run TEXT, ended TEXT, events BIGINT, PRIMARY KEY (gateway, next));
CREATE TABLE IF NOT EXISTS run_marks (run TEXT, sensor TEXT, last BIGINT, PRIMARY KEY (run, sensor, last));
CREATE TABLE IF NOT EXISTS events (gateway TEXT, run TEXT, n BIGINT, ts TEXT, document TEXT NOT NULL, PRIMARY KEY (gateway, run, n));
CREATE TABLE IF NOT EXISTS clocks (run TEXT, zero TEXT NOT NULL, PRIMARY KEY (run)); -- wall time of the power-up: add up
