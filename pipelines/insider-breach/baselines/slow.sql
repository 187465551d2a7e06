-- Charts of the last 30 days for which no reason ever appeared.
SELECT
  user_key,
  sum(patients) AS patients_sum,
  sum(patients_new) AS patients_new_sum,
  sum(CASE WHEN patients > 0 THEN 1 ELSE 0 END) AS days_with_any,
  sum(overrides_uncharted) AS overrides_uncharted
FROM unexplained_days
WHERE days_ago < 30
GROUP BY user_key
