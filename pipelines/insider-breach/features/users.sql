-- One row per user active since the last scoring tick: the user model's features, then the rules.
-- Each comment is what the column means to a person; {value} stands for its value, {other} for another column's.
-- Windows of a day step by the hour, so rules take the newest hour with it where there is a window of that.
SELECT
  user_key,
  -- how many charts and how fast
  coalesce(access_15m_patients, 0) AS patients_15m, -- opened {value|charts} in 15 minutes
  coalesce(access_1h_patients, 0) AS patients_1h, -- opened {value|charts} in the last hour
  coalesce(access_24h_patients, 0) AS patients_24h, -- opened {value|charts} in 24 hours
  coalesce(access_15m_events, 0) AS events_15m, -- {value|events} in 15 minutes
  coalesce(access_1h_events, 0) AS events_1h, -- {value|events} in the last hour
  coalesce(access_24h_events, 0) AS events_24h, -- {value|events} in 24 hours
  coalesce(access_1h_rapid_events, 0) AS rapid_events_1h, -- {value|events} less than 3 seconds apart in the last hour
  CAST(coalesce(access_24h_patients, 0) AS DOUBLE) / CASE WHEN own_patients_median < 1 THEN 1 ELSE own_patients_median END AS patients_vs_own, -- {value:times} the charts of the user's usual day
  CAST(coalesce(access_24h_patients, 0) AS DOUBLE) / CASE WHEN peers_patients_p95 < 1 THEN 1 ELSE peers_patients_p95 END AS patients_vs_peers, -- {value:times} what busy colleagues of the same role open in a day
  CAST(coalesce(access_24h_events, 0) AS DOUBLE) / CASE WHEN own_events_max < 1 THEN 1 ELSE own_events_max END AS events_vs_own_max, -- {value:times} the busiest of the user's last 30 days
  -- how widely
  coalesce(access_1h_resources, 0) AS resources_1h, -- {value|kind of record|kinds of record} in the last hour
  coalesce(access_24h_workstations, 0) AS workstations_24h, -- from {value|workstations} in 24 hours
  CAST(coalesce(access_24h_patients, 0) AS DOUBLE) / nullif(access_24h_insurers, 0) AS patients_per_insurer_24h, -- {value|charts} per insurer
  -- charts without a reason
  coalesce(access_1h_patients_unexplained, 0) AS unexplained_1h, -- opened {value|charts} with no documented reason in the last hour
  coalesce(access_24h_patients_unexplained, 0) AS unexplained_24h, -- opened {value|charts} with no documented reason in 24 hours
  coalesce(access_1h_patients_never, 0) AS never_1h, -- {value|charts} of patients who never had anything to do with the user's work, in the last hour
  coalesce(access_24h_patients_never, 0) AS never_24h, -- {value|charts} of patients who never had anything to do with the user's work
  coalesce(access_24h_patients_self_authored, 0) AS self_authored_24h, -- {value|charts} whose only reason the user wrote
  CAST(coalesce(access_24h_patients_unexplained, 0) AS DOUBLE) / nullif(access_24h_patients, 0) AS unexplained_share_24h, -- {value:percent} of the charts had no documented reason
  CAST(coalesce(access_24h_patients_unexplained, 0) AS DOUBLE) / nullif(access_24h_patients, 0) - peers_unexplained_share AS unexplained_vs_peers, -- the share without a reason is {value:points} that of the role
  greatest(unexplained_1h_patients, unexplained_24h_patients, 0) AS still_unexplained_24h, -- {value|charts} still without a reason two hours later
  greatest(unexplained_1h_patients_explained_later, unexplained_24h_patients_explained_later, 0) AS explained_later_24h, -- for {value|chart|charts} a reason appeared afterwards
  coalesce(access_24h_patients_other_unit, 0) AS other_unit_24h, -- {value|patients} of other units
  coalesce(access_1h_colleagues_unexplained, 0) AS colleagues_1h, -- opened {value|colleague's chart|colleagues' charts} without a reason in the last hour
  coalesce(access_24h_colleagues_unexplained, 0) AS colleagues_24h, -- opened {value|colleague's chart|colleagues' charts} without a reason
  coalesce(access_1h_family_unexplained, 0) AS family_1h, -- opened {value|charts} of people at the user's own address in the last hour
  coalesce(access_24h_family_unexplained, 0) AS family_24h, -- opened {value|charts} of people at the user's own address
  coalesce(access_24h_namesakes_unexplained, 0) AS namesakes_24h, -- opened {value|charts} of people with the user's rare surname
  coalesce(access_1h_vips_unexplained, 0) AS vips_1h, -- opened {value|charts} of persons of public interest in the last hour
  coalesce(access_24h_vips_unexplained, 0) AS vips_24h, -- opened {value|charts} of persons of public interest
  greatest(access_1h_vips_elsewhere, access_24h_vips_elsewhere, 0) AS vips_elsewhere_24h, -- opened {value|charts} of persons of public interest whom neither the user nor the user's unit cares for
  coalesce(access_24h_deceased_unexplained, 0) AS deceased_24h, -- opened {value|charts} of the deceased
  coalesce(access_24h_own_record_events, 0) AS own_record_24h, -- {value|events} on the user's own record
  greatest(access_1h_own_record_writes_unexplained, access_24h_own_record_writes_unexplained, 0) AS own_record_unexplained_24h, -- {value|changes} to the user's own record without a reason
  -- new charts
  coalesce(access_1h_patients_new, 0) AS new_patients_1h, -- {value|charts} the user never opened before, in the last hour
  coalesce(access_24h_patients_new_unexplained, 0) AS new_unexplained_24h, -- {value|charts} opened for the first time and without a reason
  coalesce(access_1h_patients_elsewhere_new, 0) AS elsewhere_new_1h, -- opened {value|charts} of other units' patients for the first time in the last hour
  CAST(coalesce(access_1h_patients_elsewhere_new, 0) AS DOUBLE) / CASE WHEN own_elsewhere_new_max < 1 THEN 1 ELSE own_elsewhere_new_max END AS elsewhere_new_vs_own, -- in the last hour opened {value:times} as many new charts of other units as on the user's busiest day
  CAST(greatest(access_1h_patients_elsewhere_new, access_24h_patients_elsewhere_new, 0) AS DOUBLE) / CASE WHEN peers_elsewhere_new_p95 < 1 THEN 1 ELSE peers_elsewhere_new_p95 END AS elsewhere_new_vs_peers, -- opened {value:times} as many new charts of other units as a busy colleague in a day
  CAST(greatest(access_1h_patients_unexplained, access_24h_patients_unexplained, 0) AS DOUBLE) / CASE WHEN own_unexplained_max < 1 THEN 1 ELSE own_unexplained_max END AS unexplained_vs_own, -- opened {value:times} as many charts without a reason as on the user's busiest day
  -- searches, entries and prints
  coalesce(access_1h_searches, 0) AS searches_1h, -- {value|searches} in the last hour
  coalesce(access_24h_searches, 0) AS searches_24h, -- {value|searches} in 24 hours
  coalesce(access_24h_names_searched, 0) AS names_searched_24h, -- searched for {value|different names}
  CAST(coalesce(access_24h_searches, 0) AS DOUBLE) / nullif(access_24h_patients, 0) AS searches_per_patient_24h, -- {value|searches} for each chart opened
  coalesce(access_1h_writes, 0) AS writes_1h, -- {value|entries} written in the last hour
  coalesce(access_24h_deletes, 0) AS deletes_24h, -- {value|deletions}
  coalesce(access_24h_changes_unexplained, 0) AS changes_unexplained_24h, -- changed or deleted {value|entries} of patients without a reason
  greatest(access_1h_patients_gone_dispensed, access_24h_patients_gone_dispensed, 0) AS gone_dispensed_24h, -- released drugs for {value|patients} who had left or were never there
  coalesce(own_gone_dispensed_sum, 0) AS gone_dispensed_30d, -- released drugs {value|time|times} on other days of 30 for patients who had left or were never there
  coalesce(access_1h_takeouts, 0) AS takeouts_1h, -- printed or exported {value|time|times} in the last hour
  coalesce(access_24h_takeouts, 0) AS takeouts_24h, -- printed or exported {value|time|times} in 24 hours
  coalesce(access_24h_patients_taken_out, 0) AS patients_taken_out_24h, -- printed or exported the records of {value|patients}
  CAST(coalesce(access_24h_takeouts, 0) AS DOUBLE) / CASE WHEN own_takeouts_max < 1 THEN 1 ELSE own_takeouts_max END AS takeouts_vs_own, -- {value:times} the prints and exports of the user's busiest day
  CAST(coalesce(access_24h_takeouts, 0) AS DOUBLE) / CASE WHEN peers_takeouts_p95 < 1 THEN 1 ELSE peers_takeouts_p95 END AS takeouts_vs_peers, -- {value:times} the prints and exports of busy colleagues
  CAST(coalesce(access_24h_bytes_out, 0) AS DOUBLE) / 1048576 AS megabytes_out_24h, -- took {value} MB out
  coalesce(access_1h_patients_overridden, 0) AS overrides_1h, -- overrode access rules for {value|patients} in the last hour
  coalesce(access_24h_patients_overridden, 0) AS overrides_24h, -- overrode access rules for {value|patients} in 24 hours
  greatest(unexplained_1h_overrides_uncharted, unexplained_24h_overrides_uncharted, 0) AS overrides_uncharted_24h, -- overrode access rules for {value|patients} and charted nothing afterwards
  coalesce(access_24h_failures, 0) AS refused_24h, -- {value|refused accesses}
  coalesce(access_24h_sensitive_events, 0) AS sensitive_24h, -- {value|events} on restricted records
  -- hours
  local_hour AS local_hour, -- at {value} o'clock
  CASE WHEN local_weekday >= 6 THEN 1 ELSE 0 END AS weekend, -- at the weekend
  coalesce(access_1h_off_shift_events, 0) AS off_shift_1h, -- {value|events} outside the user's shift in the last hour
  coalesce(access_24h_off_shift_events, 0) AS off_shift_24h, -- {value|events} outside the user's shift
  coalesce(access_24h_patients_off_shift_unexplained, 0) AS off_shift_unexplained_24h, -- {value|charts} without a reason outside the user's shift
  coalesce(access_24h_session_length, 0) AS session_length_24h, -- {value|access|accesses} in one session
  -- sign-ins
  coalesce(auth_1h_failures, 0) AS sign_in_failures_1h, -- {value|failed sign-ins} in the last hour
  coalesce(auth_24h_failures, 0) AS sign_in_failures_24h, -- {value|failed sign-ins} in 24 hours
  coalesce(auth_1h_challenges_denied, 0) AS challenges_denied_1h, -- {value|sign-in request|sign-in requests} denied or ignored in the last hour
  greatest(auth_1h_sign_ins_after_denials, auth_24h_sign_ins_after_denials, 0) AS sign_ins_after_denials_24h, -- signed in {value|time|times} right after denied requests
  greatest(auth_1h_denials_before_odd, auth_24h_denials_before_odd, 0) AS denials_before_odd_24h, -- signed in from a new device or country right after denying {value|sign-in requests}
  coalesce(auth_24h_devices_new, 0) AS devices_new_24h, -- {value|devices} never used before
  coalesce(auth_24h_countries_new, 0) AS countries_new_24h, -- {value|countries} never signed in from before
  coalesce(auth_24h_external_sign_ins, 0) AS external_24h, -- {value|sign-ins} from outside
  coalesce(auth_24h_proxy_sign_ins, 0) AS proxy_24h, -- {value|sign-ins} through a proxy
  greatest(auth_1h_speed_kmh, auth_24h_speed_kmh, 0) AS speed_kmh_24h, -- signed in at two places as if travelling at {value} km/h
  greatest(auth_1h_odd_sign_ins, auth_24h_odd_sign_ins, 0) AS odd_sign_ins_24h, -- {value|odd sign-ins}
  greatest(auth_1h_address_shut_out, auth_24h_address_shut_out, 0) AS address_shut_out_24h, -- signed in from an address that shut out {value|account|accounts} in two weeks
  -- place and account
  coalesce(access_1h_remote_events, 0) AS remote_1h, -- {value|events} from outside the house in the last hour
  greatest(access_1h_patients_after_odd_sign_in, access_24h_patients_after_odd_sign_in, 0) AS after_odd_sign_in_24h, -- opened {value|charts} without a reason after an odd sign-in
  coalesce(access_1h_two_places_events, 0) AS two_places_1h, -- active at two workstations at once {value|time|times} in the last hour
  greatest(access_1h_returns, 0) AS returns_1h, -- went back and forth between two workstations {value|time|times} in the last hour
  greatest(access_1h_returns, access_24h_returns, 0) AS returns_24h, -- went back and forth between two workstations {value|time|times}
  CAST(greatest(access_1h_returns, 0) AS DOUBLE) / CASE WHEN own_returns_max < 1 THEN 1 ELSE own_returns_max END AS returns_vs_own, -- in the last hour went back and forth {value:times} as often as on the user's busiest day
  coalesce(access_24h_two_places_events, 0) AS two_places_24h, -- active at two workstations at once {value|time|times}
  greatest(access_1h_after_end_events, access_24h_after_end_events, 0) AS after_end_24h, -- {value|events} after the user's employment ended
  -- charts that stand out
  CAST(coalesce(pair_score_1h_top, 0) AS DOUBLE) / 1000000 AS pair_top_1h, -- the most unusual chart of the last hour scores {value} of 1 by itself
  CAST(greatest(coalesce(pair_score_24h_top, 0), coalesce(pair_score_1h_top, 0)) AS DOUBLE) / 1000000 AS pair_top_24h, -- the most unusual chart scores {value} of 1 by itself
  CAST(coalesce(pair_score_24h_second, 0) AS DOUBLE) / 1000000 AS pair_second_24h, -- the second most unusual chart scores {value} of 1 by itself
  CAST(coalesce(pair_score_24h_sum, 0) AS DOUBLE) / 1000000 AS pair_sum_24h, -- the charts of 24 hours score {value} together
  CAST(coalesce(pair_score_1h_sum, 0) AS DOUBLE) / 1000000 AS pair_sum_1h, -- the charts of the last hour score {value} together
  CAST(coalesce(suspect_score_sum, 0) AS DOUBLE) / 1000000 AS pair_sum_30d, -- the charts of 30 days score {value} together
  -- habits
  coalesce(slow_patients_sum, 0) AS slow_unexplained_30d, -- opened charts {value|time|times} in 30 days that never got a reason, counting each once a day
  coalesce(slow_patients_new_sum, 0) AS slow_new_unexplained_30d, -- opened {value|charts} for the first time in 30 days that never got a reason
  coalesce(slow_days_with_any, 0) AS slow_days_30d, -- charts without a reason on {value} of the last 30 days
  coalesce(slow_overrides_uncharted, 0) AS overrides_uncharted_30d, -- overrode access rules {value|time|times} in 30 days, counting each patient once a day, and charted nothing
  CAST(own_unexplained_sum AS DOUBLE) / nullif(own_active_days, 0) AS own_unexplained_per_day, -- on other days opens {value|charts} a day without a reason
  tenure_days AS tenure_days, -- {value|days} in employment
  CASE WHEN days_to_end > 0 THEN days_to_end WHEN days_to_end <= 0 THEN 0 END AS days_to_end, -- {value|days} before leaving
  -- rules
  greatest(access_1h_after_end_events, access_24h_after_end_events, 0) > 0 AS rule_after_end,
  greatest(access_1h_own_record_writes_unexplained, access_24h_own_record_writes_unexplained, 0) > 0 AS rule_own_record_changed,
  greatest(auth_1h_speed_kmh, auth_24h_speed_kmh, 0) > 900 AS rule_impossible_travel,
  greatest(auth_1h_address_shut_out, auth_24h_address_shut_out, 0) >= 6 AS rule_sprayed_address,
  greatest(auth_1h_denials_before_odd, auth_24h_denials_before_odd, 0) >= 3 AS rule_mfa_fatigue,
  coalesce(access_1h_patients_after_odd_sign_in, 0) >= 3 AND access_1h_events > access_1h_inside_events AND coalesce(peers_unexplained_share, 0) < 0.2 AS rule_odd_sign_in_then_charts,
  greatest(unexplained_1h_overrides_uncharted, unexplained_24h_overrides_uncharted, 0) >= 5 AS rule_override_without_care,
  coalesce(access_1h_patients_unexplained, 0) >= 25 AND coalesce(access_1h_patients_unexplained, 0) > 5 * coalesce(peers_unexplained_p95, 1) AS rule_mass_unexplained
FROM user_row
