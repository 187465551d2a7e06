-- Who signs in from an address, in the whole house, and who never gets in: each user once a day.
SELECT
  address_key,
  count(*) AS users,
  count(*) FILTER (WHERE failures > 0 AND sign_ins = 0) AS shut_out
FROM address_days
GROUP BY address_key
