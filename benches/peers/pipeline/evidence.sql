SELECT user_key, patient_key
FROM evidence_row
