-- How a user signed in. Patients of a portal, and machines, are not staff.
SELECT
  user_key,
  count(*) AS events,
  count(*) FILTER (WHERE activity = 'logon' AND outcome = 'success') AS sign_ins,
  count(*) FILTER (WHERE activity = 'logon' AND outcome = 'failure') AS failures,
  count(*) FILTER (WHERE activity = 'challenge' AND outcome = 'failure') AS challenges_denied,
  max(failures_before) AS failures_in_a_row,
  count(*) FILTER (WHERE activity = 'logon' AND outcome = 'success' AND denials_before >= 3) AS sign_ins_after_denials,
  coalesce(max(denials_before) FILTER (WHERE odd), 0) AS denials_before_odd,
  count(*) FILTER (WHERE activity = 'logon' AND outcome = 'success' AND failures_before >= 5) AS sign_ins_after_failures,
  count(DISTINCT device_h) AS devices,
  count(DISTINCT address_h) AS addresses,
  count(*) FILTER (WHERE device_new AND known_days >= 14) AS devices_new,
  count(*) FILTER (WHERE country_new AND known_days >= 14) AS countries_new,
  count(*) FILTER (WHERE network = 'external' AND activity = 'logon' AND outcome = 'success') AS external_sign_ins,
  count(*) FILTER (WHERE network = 'vpn') AS vpn_events,
  count(*) FILTER (WHERE proxy AND activity = 'logon' AND outcome = 'success') AS proxy_sign_ins,
  coalesce(max(CASE WHEN distance_km > 150 THEN speed_kmh END), 0) AS speed_kmh,
  count(*) FILTER (WHERE odd) AS odd_sign_ins,
  count(*) FILTER (WHERE off_shift) AS off_shift_events,
  count(*) FILTER (WHERE after_end AND outcome = 'success') AS after_end_sign_ins,
  -- From an address that most users of the last two weeks never got in from.
  coalesce(max(addresses_shut_out) FILTER (
    WHERE activity = 'logon' AND outcome = 'success' AND 2 * addresses_shut_out > addresses_users
  ), 0) AS address_shut_out
FROM auth
WHERE actor_kind NOT IN ('patient', 'system')
GROUP BY user_key
