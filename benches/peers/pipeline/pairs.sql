SELECT user_key, patient_key
FROM pair_row
