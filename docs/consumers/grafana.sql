-- Views for Grafana over the tables of schema.sql, in PostgreSQL.

-- Each value of each reading, with its time; that of a reading without one comes from the power-up, once that is known. Of
-- several readings in one (when_full = "thin") value is the mean. True is 1.
CREATE OR REPLACE VIEW measured AS
SELECT gateway, run, sensor, seq, ts, COALESCE(ts::timestamptz, zero::timestamptz + up * interval '1 second') AS at, field,
  CASE jsonb_typeof(v) WHEN 'number' THEN v::text::float8 WHEN 'boolean' THEN v::boolean::int WHEN 'object' THEN (v->>'mean')::float8 END AS value
FROM readings LEFT JOIN clocks USING (run), jsonb_each(fields::jsonb) AS f(field, v)
WHERE jsonb_typeof(v) IN ('number', 'boolean', 'object');

-- Each sensor, and when its newest reading was taken; found by the index.
CREATE OR REPLACE VIEW newest AS
WITH RECURSIVE sensors AS (
  (SELECT sensor FROM readings ORDER BY sensor LIMIT 1)
  UNION ALL SELECT (SELECT r.sensor FROM readings r WHERE r.sensor > s.sensor ORDER BY r.sensor LIMIT 1) FROM sensors s WHERE s.sensor IS NOT NULL
)
SELECT sensor, r.ts::timestamptz AS at FROM sensors
LEFT JOIN LATERAL (SELECT ts FROM readings WHERE readings.sensor = sensors.sensor AND ts IS NOT NULL ORDER BY ts DESC LIMIT 1) r ON true
WHERE sensor IS NOT NULL;

-- The readings that nothing explains: the first query of docs/verify.md.
CREATE OR REPLACE VIEW missing AS
WITH known AS (
  SELECT run, sensor, seq AS first, COALESCE(seq_to, seq) AS last FROM readings
  UNION ALL SELECT run, sensor, first, last FROM losses
  UNION ALL SELECT run, sensor, last + 1, last FROM run_marks -- everything below is expected
), ordered AS (
  SELECT run, sensor, first,
    COALESCE(MAX(last) OVER (PARTITION BY run, sensor ORDER BY first, last
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS covered
  FROM known
), holes AS (
  SELECT o.run, o.sensor, o.covered + 1 AS first, o.first - 1 AS last,
    CASE WHEN EXISTS (SELECT 1 FROM run_ends e WHERE e.run = o.run)
      AND NOT EXISTS (SELECT 1 FROM run_ends e WHERE e.run = o.run AND e.ended = 'clean')
      THEN COALESCE((SELECT MAX(m.last) FROM run_marks m WHERE m.run = o.run AND m.sensor = o.sensor), 0) -- what it had kept
    END AS mark
  FROM ordered o WHERE o.first > o.covered + 1
)
SELECT run, sensor, first, CASE WHEN mark < last THEN mark ELSE last END AS last
FROM holes WHERE mark IS NULL OR first <= mark
ORDER BY run, sensor, first;
