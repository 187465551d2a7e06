-- Who opened the chart of a person of public interest that lies on another unit: nobody of its own team. A stay is a
-- reason on record for everybody in the house, so `patient` does not see them.
SELECT
  patient_key,
  user_key,
  count(*) AS events,
  count(*) FILTER (WHERE action = 'read') AS reads,
  count(*) FILTER (WHERE action IN ('create', 'update')) AS writes,
  count(*) FILTER (WHERE action = 'delete') AS deletes,
  count(*) FILTER (WHERE action IN ('print', 'export', 'disclose')) AS takeouts,
  count(*) FILTER (WHERE break_glass) AS overrides,
  min(rung) AS rung,
  min(home_unit) AS home_unit,
  max(CASE WHEN patient_new THEN 1 ELSE 0 END) AS patient_new,
  max(CASE WHEN off_shift THEN 1 ELSE 0 END) AS off_shift,
  -- Who only looked, and for the first time, is told first.
  CASE
    WHEN max(CASE WHEN patient_new THEN 1 ELSE 0 END) = 1 AND count(*) FILTER (WHERE action IN ('create', 'update')) = 0
      THEN 1000000
    ELSE 0
  END AS score,
  min(event_ms) AS first_ms,
  max(event_ms) AS last_ms
FROM access
WHERE vip AND rung >= 2 AND patient_key IS NOT NULL AND actor_kind NOT IN ('patient', 'system')
GROUP BY patient_key, user_key
