-- Accesses for which no reason had appeared when their grace was over.
SELECT
  user_key,
  count(*) FILTER (WHERE NOT explained) AS events,
  count(DISTINCT CASE WHEN NOT explained THEN patient_h END) AS patients,
  count(DISTINCT CASE WHEN NOT explained AND patient_new THEN patient_h END) AS patients_new,
  count(DISTINCT CASE WHEN NOT explained AND rung = 8 THEN patient_h END) AS patients_never,
  count(DISTINCT CASE WHEN explained_later THEN patient_h END) AS patients_explained_later,
  count(DISTINCT CASE WHEN break_glass AND NOT explained AND NOT charted_after THEN patient_h END) AS overrides_uncharted
FROM resolved
WHERE outcome <> 'failure' AND actor_kind NOT IN ('patient', 'system')
GROUP BY user_key
