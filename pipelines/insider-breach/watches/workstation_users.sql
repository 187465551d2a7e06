-- How each user's sign-ins at a workstation went, of those that no address tells of: a domain controller that checks a
-- password often knows the workstation's name alone.
SELECT
  workstation_key,
  user_key,
  count(*) AS events,
  count(*) FILTER (WHERE outcome = 'failure') AS failures,
  count(*) FILTER (WHERE outcome = 'success') AS sign_ins,
  min(event_ms) FILTER (WHERE outcome = 'failure') AS failed_ms,
  max(event_ms) FILTER (WHERE outcome = 'success') AS let_in_ms,
  -- Whoever it got in as is told first.
  max(CASE WHEN outcome = 'success' THEN 1000000 ELSE 0 END) AS score,
  min(event_ms) AS first_ms,
  max(event_ms) AS last_ms
FROM auth
WHERE workstation_key IS NOT NULL AND address_key IS NULL AND activity = 'logon'
GROUP BY workstation_key, user_key
