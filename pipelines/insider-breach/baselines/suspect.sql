-- Pair scores of the last 30 days, summed by user.
SELECT
  user_key,
  sum(score) AS score_sum,
  max(score) AS score_max
FROM pair_score_days
WHERE days_ago < 30
GROUP BY user_key
