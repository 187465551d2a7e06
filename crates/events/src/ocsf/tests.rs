use expect_test::expect;

use crate::testing::{decode, dump};
use crate::{Format, Stream};

#[test]
fn a_full_logon() {
    let text = r#"{
        "class_uid": 3002, "category_uid": 3, "type_uid": 300201, "activity_id": 1, "activity_name": "Logon",
        "time": 1766700000123, "status_id": 1, "status": "Success",
        "metadata": {"version": "1.8.0", "uid": "evt-1", "product": {"name": "IdP", "vendor_name": "V"}},
        "user": {"uid": "00u7", "name": "jdoe", "email_addr": "jdoe@house.example", "type_id": 1},
        "src_endpoint": {"ip": "10.9.1.2", "hostname": "ws-12",
            "location": {"country": "no", "coordinates": [10.75, 59.91]}},
        "device": {"uid": "dev-9", "type_id": 2}, "session": {"uid": "Sess-1"}, "service": {"name": "EHR"},
        "is_mfa": true, "is_remote": true, "auth_factors": [{"factor_type_id": 11}, {"factor_type_id": 5}],
        "auth_protocol_id": 3, "enrichments": [{"name": "x", "data": {}}]}"#;
    expect![[r#"
        offset: 0
        part: 0
        event_time: 2025-12-25T22:00:00.123Z
        event_id: evt-1
        user_key: u1:dlzrmf
        activity: logon
        activity_raw: Logon
        outcome: success
        outcome_raw: Success
        factor: push
        mfa: true
        address_key: a1:4d7jar
        network: vpn
        country: NO
        latitude: 59.91
        longitude: 10.75
        device_key: d1:lacihm
        workstation: ws-12
        workstation_key: d1:xduvfy
        session_key: s1:hmngmz
        remote: true
        actor_kind: human
        application: EHR
    "#]]
    .assert_eq(&dump(&decode(Stream::Auth, Format::Ocsf, &[text])));
}

#[test]
fn seconds_absent_fields_and_other_classes() {
    let texts = [
        r#"{"class_uid":3002,"time":1766700000,"user":{"uid":"","name":"jdoe"},"activity_id":6}"#,
        r#"{"class_uid":3002,"time":1766700000,"actor":{"user":{"email_addr":"jdoe"}},"status_id":2,"status":"Failure",
            "status_code":"50126","activity_id":2,"src_endpoint":{"ip":"8.8.8.8","location":{"lat":95,"long":3}}}"#,
        r#"{"class_uid":3002,"time":12,"user":{"uid":"x"}}"#,
        r#"{"class_uid":6003,"time":1766700000,"user":{"uid":"x"}}"#,
        r#"{"time":1766700000,"user":{"uid":"x"}}"#,
        r#"{"class_uid":3002,"time":1766700000,"user":{}}"#,
    ];
    expect![[r#"
        offset: 0
        part: 0
        event_time: 2025-12-25T22:00:00Z
        event_id: sha256:90666c029fb8a9af99ce93a1827a6fcb
        user_key: u1:orduuv
        activity: challenge
        outcome: unknown
        actor_kind: unknown
        offset: 1
        part: 0
        event_time: 2025-12-25T22:00:00Z
        event_id: sha256:968a52f4ba8e7f92b96433c108022674
        user_key: u1:orduuv
        activity: logoff
        outcome: failure
        outcome_raw: 50126
        address_key: a1:hlzyee
        network: external
        actor_kind: unknown
        reject 2/0: bad_time: the time cannot be read
        reject 3/0: unknown_shape: `class_uid` is not 3002 (authentication)
        reject 4/0: missing_field: field `class_uid` is absent
        reject 5/0: no_user: nobody is named as the one who acted
    "#]]
    .assert_eq(&dump(&decode(Stream::Auth, Format::Ocsf, &texts)));
}

#[test]
fn the_factor_is_the_one_that_tells_most() {
    for (factors, factor, mfa) in [
        (vec![11], "password", None),
        (vec![11, 10], "webauthn", Some("true")),
        (vec![4], "biometric", None),
        (vec![99, 11], "other", Some("true")),
    ] {
        let list: Vec<_> = factors.iter().map(|id| format!(r#"{{"factor_type_id":{id}}}"#)).collect();
        let text = format!(
            r#"{{"class_uid":3002,"time":1766700000,"user":{{"uid":"x"}},"auth_factors":[{}]}}"#,
            list.join(",")
        );
        let dump = dump(&decode(Stream::Auth, Format::Ocsf, &[&text]));
        let find = |column: &str| dump.lines().find_map(|line| line.strip_prefix(column));
        assert_eq!((find("factor: "), find("mfa: ")), (Some(factor), mfa), "{factors:?}");
    }
}
