-- How a user's sign-ins from each address went: days of it tell what is known of addresses.
SELECT
  user_key,
  address_key,
  max(user_h) AS user_h,
  count(*) FILTER (WHERE outcome = 'failure') AS failures,
  count(*) FILTER (WHERE outcome = 'success') AS sign_ins
FROM auth
WHERE address_key IS NOT NULL AND activity = 'logon'
GROUP BY user_key, address_key
