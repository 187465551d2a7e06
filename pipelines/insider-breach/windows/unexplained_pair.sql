-- The same for one patient: which charts stayed without a reason.
SELECT
  user_key,
  patient_key,
  count(*) FILTER (WHERE NOT explained) AS events,
  count(*) FILTER (WHERE NOT explained AND action IN ('create', 'update')) AS writes,
  max(CASE WHEN break_glass AND NOT charted_after THEN 1 ELSE 0 END) AS override_uncharted,
  max(CASE WHEN explained_later THEN 1 ELSE 0 END) AS explained_later
FROM resolved
WHERE patient_key IS NOT NULL AND outcome <> 'failure' AND actor_kind NOT IN ('patient', 'system')
GROUP BY user_key, patient_key
