//! Golden rows of the official examples. Each line was checked against the example's narrative and the rules in the
//! heads of `fhir.rs` and `fhir/agents.rs`.

use expect_test::{Expect, expect};

use crate::testing::{decode, dump, keys, options, records};
use crate::{DecodeOptions, Decoder, Format, Stream};

fn check(stream: Stream, text: &str, expected: Expect) {
    // The official BALP examples are marked as test data, which a decoder refuses unless told otherwise.
    let options = DecodeOptions { accept_test_data: true, ..options() };
    let mut decoder = Decoder::new(stream, Format::Fhir, keys(), options).unwrap();
    expected.assert_eq(&dump(&decoder.decode(&records([Some(text.as_bytes())]))));
}

#[test]
fn r4_disclosure_is_by_its_requestor_although_it_is_the_source_of_the_data() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/fhir-r4/AuditEvent-example-disclosure.json"),
        expect![[r#"
            offset: 0
            part: 0
            event_time: 2013-09-22T00:08:00Z
            event_id: example-disclosure
            user_key: u1:qwtfb4
            patient_key: p1:fcaty3
            action: disclose
            action_raw: Disclosure
            outcome: success
            outcome_raw: 0
            resource: Patient
            purpose: HMARKT
            break_glass: false
            workstation: custodian.net
            workstation_key: d1:gl6epk
            sensitive: true
            actor_kind: human
            application: Watchers Accounting of Disclosures Application
        "#]],
    );
}

#[test]
fn r4_vread_of_a_patient() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/fhir-r4/AuditEvent-example-rest.json"),
        expect![[r#"
            offset: 0
            part: 0
            event_time: 2013-06-20T23:42:24Z
            event_id: example-rest
            user_key: u1:fljgag
            patient_key: p1:fcaty3
            action: read
            action_raw: vread
            outcome: success
            outcome_raw: 0
            resource: Patient
            break_glass: false
            workstation: Workstation1.ehr.familyclinic.com
            workstation_key: d1:67tdwl
            sensitive: false
            actor_kind: human
            application: hl7connect.healthintersections.com.au
        "#]],
    );
}

#[test]
fn r4_search() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/fhir-r4/AuditEvent-example-search.json"),
        expect![[r#"
            offset: 0
            part: 0
            event_time: 2015-08-22T23:42:24Z
            event_id: example-search
            user_key: u1:fljgag
            action: search
            action_raw: search
            outcome: success
            outcome_raw: 0
            resource: Encounter
            break_glass: false
            workstation: Workstation1.ehr.familyclinic.com
            workstation_key: d1:67tdwl
            sensitive: false
            actor_kind: human
            application: hl7connect.healthintersections.com.au
        "#]],
    );
}

#[test]
fn r4_login_is_a_logon_on_auth_and_stays_readable_on_access() {
    let text = include_str!("../../../fixtures/fhir-r4/AuditEvent-example-login.json");
    check(
        Stream::Auth,
        text,
        expect![[r#"
            offset: 0
            part: 0
            event_time: 2013-06-20T23:41:23Z
            event_id: example-login
            user_key: u1:fljgag
            activity: logon
            activity_raw: 110122
            outcome: success
            outcome_raw: 0
            address_key: a1:dmcjpo
            network: external
            workstation: Workstation1.ehr.familyclinic.com
            workstation_key: d1:67tdwl
            actor_kind: human
            application: hl7connect.healthintersections.com.au
        "#]],
    );
    check(
        Stream::Access,
        text,
        expect![[r#"
            offset: 0
            part: 0
            event_time: 2013-06-20T23:41:23Z
            event_id: example-login
            user_key: u1:fljgag
            action: other
            action_raw: 110122
            outcome: success
            outcome_raw: 0
            break_glass: false
            workstation: Workstation1.ehr.familyclinic.com
            workstation_key: d1:67tdwl
            network: external
            address_key: a1:dmcjpo
            sensitive: false
            actor_kind: human
            application: hl7connect.healthintersections.com.au
        "#]],
    );
}

#[test]
fn r5_break_glass_start_is_an_override() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/fhir-r5/auditevent-example-breakglass-start.json"),
        expect![[r#"
            offset: 0
            part: 0
            event_time: 2013-09-22T00:08:00Z
            event_id: example-breakglass-start
            user_key: u1:gq6t76
            patient_key: p1:fcaty3
            action: override
            action_raw: 110127
            outcome: success
            outcome_raw: success
            resource: Patient
            purpose: ETREAT
            break_glass: true
            workstation: custodian.net
            workstation_key: d1:gl6epk
            sensitive: false
            actor_kind: human
            application: Watchers Accounting of Disclosures Application
        "#]],
    );
}

#[test]
fn r5_disclosure_says_what_r4_says() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/fhir-r5/auditevent-example-disclosure.json"),
        expect![[r#"
            offset: 0
            part: 0
            event_time: 2013-09-22T00:08:00Z
            event_id: example-disclosure
            user_key: u1:qwtfb4
            patient_key: p1:fcaty3
            action: disclose
            action_raw: Disclosure
            outcome: success
            outcome_raw: success
            resource: Patient
            purpose: HMARKT
            break_glass: false
            workstation: custodian.net
            workstation_key: d1:gl6epk
            sensitive: true
            actor_kind: human
            application: Watchers Accounting of Disclosures Application
        "#]],
    );
}

#[test]
fn balp_read_has_its_client_at_the_destination() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/balp/AuditEvent-ex-auditBasicReadServer.json"),
        expect![[r#"
        offset: 0
        part: 0
        event_time: 2020-04-29T09:49:00Z
        event_id: ex-auditBasicReadServer
        user_key: u1:74yvkp
        patient_key: p1:sjvoyf
        action: read
        action_raw: read
        outcome: success
        outcome_raw: 0
        resource: List
        break_glass: false
        network: external
        address_key: a1:u65ikt
        sensitive: false
        actor_kind: human
        application: ex-device
    "#]],
    );
}

#[test]
fn balp_create_has_its_client_at_the_source() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/balp/AuditEvent-ex-auditBasicCreateServer.json"),
        expect![[r#"
        offset: 0
        part: 0
        event_time: 2020-04-29T09:49:00Z
        event_id: ex-auditBasicCreateServer
        user_key: u1:74yvkp
        patient_key: p1:sjvoyf
        action: create
        action_raw: create
        outcome: success
        outcome_raw: 0
        resource: List
        break_glass: false
        network: external
        address_key: a1:u65ikt
        sensitive: false
        actor_kind: human
        application: myMachine.example.org
    "#]],
    );
}

#[test]
fn balp_query_has_its_client_at_the_source_and_its_resource_in_the_url() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/balp/AuditEvent-ex-auditBasicQueryGetServer.json"),
        expect![[r#"
        offset: 0
        part: 0
        event_time: 2020-04-29T09:49:00Z
        event_id: ex-auditBasicQueryGetServer
        user_key: u1:74yvkp
        patient_key: p1:sjvoyf
        action: search
        action_raw: search
        outcome: success
        outcome_raw: 0
        resource: Observation
        break_glass: false
        network: external
        address_key: a1:u65ikt
        sensitive: false
        actor_kind: human
        application: ex-device
    "#]],
    );
}

#[test]
fn balp_consent_denial_is_a_failure_by_the_practitioner() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/balp/AuditEvent-ex-auditAuthZconsent-deny.json"),
        expect![[r#"
        offset: 0
        part: 0
        event_time: 2021-12-27T09:49:00Z
        event_id: ex-auditAuthZconsent-deny
        user_key: u1:soopff
        patient_key: p1:sjvoyf
        action: other
        action_raw: AuthZ-Consent
        outcome: failure
        outcome_raw: 8
        resource: Consent
        purpose: PATRQT
        break_glass: false
        network: external
        address_key: a1:u65ikt
        sensitive: false
        actor_kind: human
        application: ex-authz
    "#]],
    );
}

#[test]
fn balp_disclosure_asked_for_by_the_patient_is_not_by_staff() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/balp/AuditEvent-ex-auditPrivacyDisclosure-source.json"),
        expect![[r#"
        offset: 0
        part: 0
        event_time: 2020-04-29T09:49:00Z
        event_id: ex-auditPrivacyDisclosure-source
        user_key: u1:44h32j
        patient_key: p1:sjvoyf
        action: disclose
        action_raw: disclose
        outcome: success
        outcome_raw: 0
        resource: DocumentReference
        purpose: PATRQT
        break_glass: false
        sensitive: false
        actor_kind: patient
        application: model number ABC, serial number 1234
    "#]],
    );
}

#[test]
fn balp_saml_user_is_the_subject() {
    check(
        Stream::Access,
        include_str!("../../../fixtures/balp/AuditEvent-ex-auditPoke-SAML-Comp.json"),
        expect![[r#"
        offset: 0
        part: 0
        event_time: 2021-12-03T09:49:00Z
        event_id: ex-auditPoke-SAML-Comp
        user_key: u1:llxqs5
        action: read
        action_raw: poke
        outcome: success
        outcome_raw: 0
        resource: Consent
        purpose: PATRQT
        break_glass: false
        sensitive: false
        actor_kind: human
        application: ex-device
    "#]],
    );
}

#[test]
fn other_official_formats_are_refused_with_a_reason() {
    let okta = include_str!("../../../fixtures/okta/okta-login-success.json");
    let entra = include_str!("../../../fixtures/entra/signin-high-risk.json");
    let xml = include_str!("../../../fixtures/atna-xml/atna-record-1.xml");
    let pix = include_str!("../../../fixtures/atna-xml/pixquery.xml");
    let mut text = dump(&decode(Stream::Auth, Format::Fhir, &[okta, entra, xml, pix]));
    text += &dump(&decode(Stream::Auth, Format::Ocsf, &[okta, entra, xml, pix]));
    expect![[r#"
        reject 0/0: missing_field: field `resourceType` is absent
        reject 1/0: missing_field: field `resourceType` is absent
        reject 2/0: not_json: not json at byte 0
        reject 3/0: not_json: not json at byte 0
        reject 0/0: missing_field: field `class_uid` is absent
        reject 1/0: missing_field: field `class_uid` is absent
        reject 2/0: not_json: not json at byte 0
        reject 3/0: not_json: not json at byte 0
    "#]]
    .assert_eq(&text);
}
