-- How each user's sign-ins from an address went.
SELECT
  address_key,
  user_key,
  count(*) AS events,
  count(*) FILTER (WHERE activity = 'logon' AND outcome = 'failure') AS failures,
  count(*) FILTER (WHERE activity = 'logon' AND outcome = 'success') AS sign_ins,
  -- Whoever it got in as is told first.
  max(CASE WHEN outcome = 'success' THEN 1000000 ELSE 0 END) AS score,
  min(event_ms) AS first_ms,
  max(event_ms) AS last_ms
FROM auth
WHERE address_key IS NOT NULL AND activity = 'logon'
GROUP BY address_key, user_key
