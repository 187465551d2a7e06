-- Who signs in from an address, in the whole house, and who never gets in. Where no outcome is told, nobody knows.
SELECT
  address_key,
  count(DISTINCT user_h) AS users,
  count(DISTINCT user_h) - count(DISTINCT CASE WHEN sign_ins > 0 THEN user_h END) AS shut_out
FROM address_days
WHERE failures > 0 OR sign_ins > 0
GROUP BY address_key
