-- One row per user and patient touched since the last scoring tick: the pair model's features.
-- Each comment is what the column means to a person; {value} stands for its value.
SELECT
  user_key,
  patient_key,
  pair_1h_events AS events_1h, -- {value|events} on this chart in the last hour
  coalesce(pair_24h_events, 0) AS events_24h, -- {value|events} on this chart in the last 24 hours
  pair_1h_reads AS reads_1h, -- {value|reads} in the last hour
  pair_1h_writes AS writes_1h, -- {value|entry|entries} written in the last hour
  pair_1h_deletes AS deletes_1h, -- {value|deletions} in the last hour
  pair_1h_takeouts AS takeouts_1h, -- {value|print or export|prints or exports} in the last hour
  pair_1h_resources AS resources_1h, -- {value|kind|kinds} of record looked at in the last hour
  pair_1h_overrides AS overrides_1h, -- access rules overridden {value|times} in the last hour
  pair_1h_sensitive_events AS sensitive_1h, -- {value|events} on restricted records
  pair_1h_rung AS rung, -- best reason found (0 own team now ... 8 never)
  pair_1h_explained AS explained, -- a documented reason is known
  CASE
    WHEN pair_1h_rung = 8 THEN peers_never_share
    WHEN pair_1h_rung = 7 THEN peers_self_authored_share
    WHEN pair_1h_rung = 6 THEN peers_long_ago_share
    WHEN pair_1h_rung BETWEEN 3 AND 5 THEN peers_recent_share
    WHEN pair_1h_rung = 2 THEN peers_other_unit_share
    ELSE peers_own_share
  END AS rung_share_of_role, -- share of this role's charts that have such a reason
  peers_unexplained_share AS unexplained_share_of_role, -- share of this role's charts without a reason
  pair_1h_own_record AS own_record, -- the patient is the user
  pair_1h_colleague AS colleague, -- the patient is a colleague
  pair_1h_colleague_same_unit AS colleague_same_unit, -- the patient works on the same unit
  pair_1h_same_household AS same_household, -- the patient lives in the user's household
  pair_1h_same_address AS same_address, -- the patient lives at the user's address
  pair_1h_same_surname AS same_surname, -- the patient bears the user's surname
  CASE WHEN pair_1h_same_surname = 1 THEN coalesce(pair_1h_surname_ppm, 0) END AS surname_ppm, -- {value} in a million bear the shared surname
  pair_1h_vip AS vip, -- the patient is a person of public interest
  pair_1h_deceased AS deceased, -- the patient had died
  pair_1h_other_unit AS other_unit, -- the patient is on another unit
  pair_1h_patient_new AS patient_new, -- the user never opened this chart before
  pair_1h_last_seen_days AS last_seen_days, -- {value|days} since the user last opened this chart
  pair_1h_off_shift AS off_shift, -- outside the user's shift
  pair_1h_odd_sign_in AS odd_sign_in, -- after an odd sign-in
  pair_1h_after_end AS after_end, -- after the user's employment ended
  pair_1h_remote AS remote, -- from outside the house
  pair_1h_treatment_purpose AS treatment_purpose, -- treatment was given as purpose
  pair_1h_session_place AS session_place, -- {value|access|accesses} into the session
  CAST(pair_1h_last_ms - pair_1h_first_ms AS DOUBLE) / 60000 AS span_minutes, -- on the chart for {value|minutes}
  coalesce(unexplained_pair_24h_events, 0) AS unexplained_24h, -- {value|events} that stayed without a reason
  coalesce(unexplained_pair_24h_override_uncharted, 0) AS override_uncharted_24h, -- overrode access rules and charted nothing
  coalesce(stalked_days, 0) AS stalked_days, -- opened without a reason on {value} of the last 30 days
  coalesce(access_1h_patients, 0) AS patients_1h, -- while opening {value|charts} in the hour
  coalesce(access_1h_patients_unexplained, 0) AS patients_unexplained_1h, -- {value|charts} without a reason in that hour
  tenure_days AS tenure_days, -- {value|days} in employment
  CASE WHEN days_to_end > 0 THEN days_to_end WHEN days_to_end <= 0 THEN 0 END AS days_to_end, -- {value|days} before leaving
  CASE WHEN account_kind = 'person' THEN 1 ELSE 0 END AS person -- a personal account
FROM pair_row
