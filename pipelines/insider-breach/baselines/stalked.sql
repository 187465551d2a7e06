-- On how many of the last 30 days one chart was opened without a reason.
SELECT
  user_key,
  patient_key,
  sum(CASE WHEN events > 0 THEN 1 ELSE 0 END) AS days,
  max(days_ago) AS first_days_ago
FROM unexplained_pair_days
WHERE days_ago < 30
GROUP BY user_key, patient_key
