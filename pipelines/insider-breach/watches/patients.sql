-- A patient whose chart was opened without a reason, over all lanes.
SELECT
  patient_key,
  count(*) AS viewers,
  count(DISTINCT home_unit) AS units,
  sum(events) AS accesses,
  max(vip) AS vip,
  max(colleague) AS colleague,
  count(*) >= 6 AND count(DISTINCT home_unit) >= 3 AS rule_many_viewers
FROM patient_users
GROUP BY patient_key
