-- A patient whose chart was opened without a reason, over all lanes. Where care was not documented, some write, and most
-- come again. A looker never opened the chart before, leaves nothing, and has a role that rarely lacks a reason: in a house
-- that records few, nobody counts.
SELECT
  patient_key,
  count(*) AS viewers,
  sum(events) AS accesses,
  count(*) FILTER (WHERE looked = 1 AND usual_share <= 0.2) AS lookers,
  count(DISTINCT CASE WHEN looked = 1 AND usual_share <= 0.2 THEN home_unit END) AS units,
  max(vip) AS vip,
  max(colleague) AS colleague,
  count(*) FILTER (WHERE looked = 1 AND usual_share <= 0.2) >= 6
    AND count(DISTINCT CASE WHEN looked = 1 AND usual_share <= 0.2 THEN home_unit END) >= 3
    AND 5 * count(*) FILTER (WHERE looked = 0) <= count(*) FILTER (WHERE looked = 1) AS rule_many_viewers
FROM patient_users
GROUP BY patient_key
