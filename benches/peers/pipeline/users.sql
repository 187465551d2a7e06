SELECT user_key, access_1h_events AS events, access_1h_patients AS patients
FROM user_row
