SELECT user_key, count(*) AS events, count(DISTINCT patient_h) AS patients
FROM access
GROUP BY user_key
