-- Accesses for which no reason had appeared when their grace was over.
SELECT
  user_key,
  count(*) FILTER (WHERE NOT explained) AS events,
  count(DISTINCT CASE WHEN NOT explained THEN patient_h END) AS patients,
  count(DISTINCT CASE WHEN NOT explained AND patient_new THEN patient_h END) AS patients_new,
  count(DISTINCT CASE WHEN NOT explained AND rung = 8 THEN patient_h END) AS patients_never,
  count(DISTINCT CASE WHEN explained THEN patient_h END) AS patients_explained_later,
  count(*) FILTER (WHERE break_glass AND NOT explained AND NOT charted_after) AS overrides_uncharted
FROM resolved
GROUP BY user_key
