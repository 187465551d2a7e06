-- Who opened a patient's chart without a documented reason, once the grace had passed. Lookers are told first.
SELECT *, CASE WHEN looker = 1 THEN 1000000 ELSE 0 END AS score
FROM (
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
    max(CASE WHEN vip THEN 1 ELSE 0 END) AS vip,
    max(CASE WHEN colleague THEN 1 ELSE 0 END) AS colleague,
    max(CASE WHEN off_shift THEN 1 ELSE 0 END) AS off_shift,
    -- 1 who only looked, for the first time, in a role that rarely lacks a reason in this house; 0 who works in the chart or
    -- knew it before; absent of other roles, and of whoever is new to the lane and opens every chart for the first time.
    CASE
      WHEN max(CASE WHEN patient_new THEN 1 ELSE 0 END) = 0 OR count(*) FILTER (WHERE action IN ('create', 'update')) > 0
        THEN 0
      WHEN max(known_days) >= 14 AND max(habits_unexplained_share) <= 0.2
        THEN 1
    END AS looker,
    max(CASE WHEN patient_new THEN 1 ELSE 0 END) AS patient_new,
    min(event_ms) AS first_ms,
    max(event_ms) AS last_ms
  FROM resolved
  WHERE NOT explained AND patient_key IS NOT NULL AND actor_kind NOT IN ('patient', 'system')
  GROUP BY patient_key, user_key
) AS viewers
