-- A user's own last 30 active days.
SELECT
  user_key,
  count(*) AS active_days,
  median(patients) AS patients_median,
  max(patients) AS patients_max,
  max(events) AS events_max,
  max(takeouts) AS takeouts_max,
  max(searches) AS searches_max,
  sum(patients) AS patients_sum,
  sum(patients_other_unit_reason) AS other_unit_reason_sum,
  max(patients_elsewhere_new) AS elsewhere_new_max,
  max(returns) AS returns_max,
  max(patients_unexplained) AS unexplained_max,
  sum(patients_unexplained) AS unexplained_sum,
  sum(patients_new_unexplained) AS new_unexplained_sum,
  sum(patients_gone_dispensed) AS gone_dispensed_sum,
  sum(off_shift_events) AS off_shift_events,
  sum(colleagues_unexplained) AS colleagues_unexplained,
  sum(family_unexplained) AS family_unexplained
FROM access_days
WHERE days_ago < 30
GROUP BY user_key
