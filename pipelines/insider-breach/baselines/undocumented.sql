-- How often a chart is opened without a reason, in the whole house, and how often written in: each user once a day. Where
-- several people care for somebody without a reason, the reason was not documented.
SELECT
  patient_key,
  count(*) FILTER (WHERE events > 0) AS user_days,
  count(*) FILTER (WHERE writes > 0) AS written_days
FROM unexplained_pair_days
GROUP BY patient_key
