-- What is usual for a role: days of everyone in it, in the whole house.
SELECT
  role,
  count(*) AS person_days,
  median(patients) AS patients_median,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY patients) AS patients_p95,
  median(takeouts) AS takeouts_median,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY takeouts) AS takeouts_p95,
  median(searches) AS searches_median,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY patients_unexplained) AS unexplained_p95,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY patients_elsewhere_new) AS elsewhere_new_p95,
  CAST(sum(patients_unexplained) AS DOUBLE) / greatest(sum(patients), 1) AS unexplained_share,
  CAST(sum(patients_never) AS DOUBLE) / greatest(sum(patients), 1) AS never_share,
  CAST(sum(patients_self_authored) AS DOUBLE) / greatest(sum(patients), 1) AS self_authored_share,
  CAST(sum(patients_long_ago) AS DOUBLE) / greatest(sum(patients), 1) AS long_ago_share,
  CAST(sum(patients_recent) AS DOUBLE) / greatest(sum(patients), 1) AS recent_share,
  CAST(sum(patients_other_unit_reason) AS DOUBLE) / greatest(sum(patients), 1) AS other_unit_share,
  CAST(sum(patients_own) AS DOUBLE) / greatest(sum(patients), 1) AS own_share,
  CAST(sum(takeouts) AS DOUBLE) / greatest(sum(events), 1) AS takeout_share,
  CAST(sum(deletes) AS DOUBLE) / greatest(sum(events), 1) AS delete_share
FROM access_days
WHERE role IS NOT NULL
GROUP BY role
