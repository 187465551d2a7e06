-- How often somebody in a role opens a chart without a reason on record, in the whole house, counting each chart once a
-- user and day.
SELECT
  role,
  CAST(sum(patients_unexplained) AS DOUBLE) / greatest(sum(patients), 1) AS unexplained_share
FROM access_days
WHERE role IS NOT NULL
GROUP BY role
