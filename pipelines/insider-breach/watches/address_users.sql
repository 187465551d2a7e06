-- How each user's sign-ins from an address went.
SELECT
  address_key,
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
WHERE address_key IS NOT NULL AND activity = 'logon'
GROUP BY address_key, user_key
