-- One row per user and patient touched since the last scoring tick: the pair model's features.
-- Each comment is what the column means to a person; {value} stands for its value.
-- An access touches a pair, and once more when its grace is over if it had no reason or overrode a rule. What the user
-- did is that of the last hour, and where nothing happened in it, that of the last 24.
SELECT
  user_key,
  patient_key,
  -- what was done
  coalesce(pair_1h_events, pair_24h_events, 0) AS events, -- {value|events} on this chart
  coalesce(pair_24h_events, 0) AS events_24h, -- {value|events} on this chart in the last 24 hours
  CASE WHEN pair_1h_events IS NULL THEN 0 ELSE 1 END AS open_now, -- opened within the last hour
  coalesce(pair_1h_reads, pair_24h_reads) AS reads, -- {value|reads}
  coalesce(pair_1h_writes, pair_24h_writes) AS writes, -- {value|entry|entries} written
  coalesce(pair_1h_deletes, pair_24h_deletes) AS deletes, -- {value|deletions}
  coalesce(pair_1h_dispenses, pair_24h_dispenses) AS dispenses, -- drugs released {value|time|times}
  coalesce(pair_1h_takeouts, pair_24h_takeouts) AS takeouts, -- {value|print or export|prints or exports}
  coalesce(pair_1h_resources, pair_24h_resources) AS resources, -- {value|kind|kinds} of record looked at
  coalesce(pair_1h_overrides, pair_24h_overrides) AS overrides, -- access rules overridden on {value|events}
  coalesce(pair_1h_sensitive_events, pair_24h_sensitive_events) AS sensitive_events, -- {value|events} on restricted records
  -- what for
  coalesce(pair_1h_rung, pair_24h_rung) AS rung, -- best reason found (0 own team now ... 8 never)
  coalesce(pair_1h_explained, pair_24h_explained) AS explained, -- a documented reason is known
  CASE coalesce(pair_1h_rung, pair_24h_rung)
    WHEN 8 THEN peers_never_share
    WHEN 7 THEN peers_self_authored_share
    WHEN 6 THEN peers_long_ago_share
    WHEN 5 THEN peers_recent_share
    WHEN 4 THEN peers_recent_share
    WHEN 3 THEN peers_recent_share
    WHEN 2 THEN peers_other_unit_share
    ELSE peers_own_share
  END AS rung_share_of_role, -- share of this role's charts that have such a reason
  peers_unexplained_share AS unexplained_share_of_role, -- share of this role's charts without a reason
  CAST(own_other_unit_reason_sum AS DOUBLE) / nullif(own_patients_sum, 0) AS other_unit_share_of_own, -- share of the user's own charts that only another unit has a reason for
  CAST(own_unexplained_sum AS DOUBLE) / nullif(own_patients_sum, 0) AS unexplained_share_of_own, -- share of the user's own charts without a reason
  greatest(unexplained_pair_1h_events, unexplained_pair_24h_events, 0) AS unexplained_24h, -- {value|events} that stayed without a reason
  greatest(unexplained_pair_1h_override_uncharted, unexplained_pair_24h_override_uncharted, 0) AS override_uncharted_24h, -- overrode access rules and charted nothing
  greatest(unexplained_pair_1h_explained_later, unexplained_pair_24h_explained_later, 0) AS explained_later_24h, -- a reason appeared later
  coalesce(stalked_days, 0) AS stalked_days, -- opened without a reason on {value} of the last 30 days
  coalesce(pair_1h_house_unexplained_days, pair_24h_house_unexplained_days) AS house_unexplained_days, -- people of the whole house opened it without a reason {value|time|times} in two weeks
  coalesce(pair_1h_house_written_days, pair_24h_house_written_days) AS house_written_days, -- people of the whole house wrote in it without a documented reason {value|time|times} in two weeks
  -- who the patient is to the user
  coalesce(pair_1h_own_record, pair_24h_own_record) AS own_record, -- the patient is the user
  coalesce(pair_1h_colleague, pair_24h_colleague) AS colleague, -- the patient is a colleague
  coalesce(pair_1h_colleague_same_unit, pair_24h_colleague_same_unit) AS colleague_same_unit, -- the patient works on the same unit
  coalesce(pair_1h_same_household, pair_24h_same_household) AS same_household, -- the patient lives in the user's household
  coalesce(pair_1h_same_address, pair_24h_same_address) AS same_address, -- the patient lives at the user's address
  coalesce(pair_1h_neighbour, pair_24h_neighbour) AS neighbour, -- the patient is a neighbour of the user
  coalesce(pair_1h_same_surname, pair_24h_same_surname) AS same_surname, -- the patient bears the user's surname
  CASE WHEN coalesce(pair_1h_same_surname, pair_24h_same_surname) = 1 THEN coalesce(pair_1h_surname_ppm, pair_24h_surname_ppm) END AS surname_ppm, -- {value} in a million bear the shared surname
  coalesce(pair_1h_vip, pair_24h_vip) AS vip, -- the patient is a person of public interest
  coalesce(pair_1h_deceased, pair_24h_deceased) AS deceased, -- the patient had died
  coalesce(pair_1h_other_unit, pair_24h_other_unit) AS other_unit, -- the patient is on another unit
  coalesce(pair_1h_patient_new, pair_24h_patient_new) AS patient_new, -- the user never opened this chart before
  coalesce(pair_1h_last_seen_days, pair_24h_last_seen_days) AS last_seen_days, -- {value|days} since the user last opened this chart
  -- how
  coalesce(pair_1h_off_shift, pair_24h_off_shift) AS off_shift, -- outside the user's shift
  coalesce(pair_1h_odd_sign_in, pair_24h_odd_sign_in) AS odd_sign_in, -- after an odd sign-in
  coalesce(pair_1h_after_end, pair_24h_after_end) AS after_end, -- after the user's employment ended
  coalesce(pair_1h_remote, pair_24h_remote) AS remote, -- from outside the house
  coalesce(pair_1h_treatment_purpose, pair_24h_treatment_purpose) AS treatment_purpose, -- treatment was given as purpose
  coalesce(pair_1h_session_place, pair_24h_session_place) AS session_place, -- {value|access|accesses} into the session
  CAST(coalesce(pair_1h_last_ms - pair_1h_first_ms, pair_24h_last_ms - pair_24h_first_ms) AS DOUBLE) / 60000 AS span_minutes, -- on the chart for {value|minutes}
  -- beside what
  coalesce(access_1h_patients, 0) AS patients_1h, -- while opening {value|charts} in the hour
  coalesce(access_1h_patients_unexplained, 0) AS patients_unexplained_1h, -- {value|charts} without a reason in that hour
  greatest(access_1h_patients, access_24h_patients, 0) AS patients_24h, -- {value|charts} in 24 hours
  greatest(access_1h_patients_unexplained, access_24h_patients_unexplained, 0) AS patients_unexplained_24h, -- {value|charts} without a reason in 24 hours
  coalesce(access_1h_patients_elsewhere_new, 0) AS elsewhere_new_1h, -- while opening {value|charts} of other units' patients for the first time in the hour
  CAST(coalesce(access_1h_patients_elsewhere_new, 0) AS DOUBLE) / CASE WHEN own_elsewhere_new_max < 1 THEN 1 ELSE own_elsewhere_new_max END AS elsewhere_new_vs_own, -- while opening {value:times} as many new charts of other units in the hour as on the user's busiest day
  greatest(access_1h_returns, 0) AS returns_1h, -- while going back and forth between two workstations {value|time|times} in the hour
  CAST(greatest(access_1h_returns, 0) AS DOUBLE) / CASE WHEN own_returns_max < 1 THEN 1 ELSE own_returns_max END AS returns_vs_own, -- while going back and forth {value:times} as often in the hour as on the user's busiest day
  tenure_days AS tenure_days, -- {value|days} in employment
  CASE WHEN days_to_end > 0 THEN days_to_end WHEN days_to_end <= 0 THEN 0 END AS days_to_end, -- {value|days} before leaving
  CASE WHEN account_kind = 'person' THEN 1 ELSE 0 END AS person -- a personal account
FROM pair_row
