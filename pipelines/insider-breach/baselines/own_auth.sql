-- A user's own sign-ins on the last 30 days.
SELECT
  user_key,
  count(*) AS active_days,
  max(failures) AS failures_max,
  max(devices) AS devices_max,
  sum(external_sign_ins) AS external_sign_ins,
  sum(vpn_events) AS vpn_events
FROM auth_days
WHERE days_ago < 30
GROUP BY user_key
