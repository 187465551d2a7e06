-- An address people signed in from, over all lanes. Whoever mistypes gets in after all; an office after a password change
-- does, too.
SELECT
  address_key,
  count(*) AS users,
  count(*) FILTER (WHERE failures > 0 AND sign_ins = 0) AS users_shut_out,
  count(*) FILTER (WHERE sign_ins > 0) AS users_let_in,
  coalesce(sum(failures) FILTER (WHERE sign_ins = 0), 0) AS failures,
  count(*) FILTER (WHERE failures > 0 AND sign_ins = 0) >= 6
    AND 2 * count(*) FILTER (WHERE failures > 0 AND sign_ins = 0) > count(*) AS rule_spraying,
  count(*) FILTER (WHERE failures > 0 AND sign_ins = 0) >= 6
    AND 2 * count(*) FILTER (WHERE failures > 0 AND sign_ins = 0) > count(*)
    AND coalesce(max(let_in_ms) > min(failed_ms) FILTER (WHERE sign_ins = 0), false) AS rule_sprayed_in
FROM address_users
GROUP BY address_key
