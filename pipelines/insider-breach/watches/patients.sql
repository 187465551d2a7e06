-- A patient whose chart was opened without a reason, over all lanes. Where care was not documented, some write, and most
-- come again: against five lookers, one of those at most.
SELECT
  patient_key,
  count(*) AS viewers,
  sum(events) AS accesses,
  count(*) FILTER (WHERE looker = 1) AS lookers,
  count(DISTINCT CASE WHEN looker = 1 THEN home_unit END) AS units,
  max(vip) AS vip,
  max(colleague) AS colleague,
  count(*) FILTER (WHERE looker = 1) >= 6
    AND count(DISTINCT CASE WHEN looker = 1 THEN home_unit END) >= 3
    AND 5 * count(*) FILTER (WHERE looker = 0) <= count(*) FILTER (WHERE looker = 1) AS rule_many_viewers
FROM patient_users
GROUP BY patient_key
