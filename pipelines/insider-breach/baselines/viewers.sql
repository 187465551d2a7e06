-- Who opened a chart without a reason, in the whole house: each user once a day.
SELECT
  patient_key,
  count(*) FILTER (WHERE events > 0) AS unexplained_days,
  sum(explained_later) AS explained_days
FROM unexplained_pair_days
GROUP BY patient_key
