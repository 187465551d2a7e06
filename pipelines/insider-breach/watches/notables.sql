-- A person of public interest whose chart people of other units opened, over all lanes. Pharmacy, laboratory and desks come
-- by one or two a day, and write; a looker never opened it before and leaves nothing.
SELECT
  patient_key,
  count(*) AS viewers,
  sum(events) AS accesses,
  count(*) FILTER (WHERE patient_new = 1 AND writes = 0) AS lookers,
  count(DISTINCT CASE WHEN patient_new = 1 AND writes = 0 THEN home_unit END) AS units,
  count(*) FILTER (WHERE patient_new = 1 AND writes = 0) >= 7
    AND count(DISTINCT CASE WHEN patient_new = 1 AND writes = 0 THEN home_unit END) >= 3 AS rule_crowd
FROM notable_users
GROUP BY patient_key
