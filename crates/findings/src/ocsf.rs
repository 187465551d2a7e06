//! A report as an OCSF Detection Finding (class 2004, schema 1.8.0), and its canonical bytes.
//!
//! `metadata.uid` identifies the finding and `finding_info.uid` the case it belongs to, so that create, update and
//! close of one case meet in any consumer. Times are whole milliseconds. What OCSF has no home for stands under
//! `unmapped.chartwarden`. Nothing here says where a record stood in a log or when a machine handled it: replays must
//! give the same bytes. Read next: `ocsf/model.rs`, the shape; `view.rs`, the way back.

pub(crate) mod model;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::attack;
use crate::canonical;
use crate::error::{Error, Result};
use crate::evidence::Other;
use crate::limits::{FINDING_BYTES_MAX, JSON_INTEGER_MAX, NAME_BYTES_MAX, RULES_TOLD_MAX, TECHNIQUES_MAX};
use crate::policy::{Activity, Origin, Severity};
use crate::tell::Report;
use crate::value::Value;
use model::*;

/// The schema version the findings follow.
const VERSION: &str = "1.8.0";
const PRODUCT: &str = "Chartwarden";
const CATEGORY: (i64, &str) = (2, "Findings");
const CLASS: (i64, &str) = (2004, "Detection Finding");
/// Observable type: a user's uid.
const OBSERVABLE_USER: i64 = 31;
/// Observable type: a resource's uid.
const OBSERVABLE_RESOURCE: i64 = 10;
/// Milliseconds between which a time is plausible: a time in seconds falls before.
const TIMES: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

/// The finding's identifier and canonical bytes.
pub(crate) fn encode(report: &Report, origin: &Origin) -> Result<(String, Vec<u8>)> {
    let mut event = event(report, origin);
    // The identifier covers the content, so the content is hashed without it.
    let content = canonical::bytes(&event)?;
    let id = identifier(&origin.pipeline, &report.case_id, report.ordinal, report.end.millis(), &content);
    event.metadata.uid = Some(id.clone());
    let bytes = canonical::bytes(&event)?;
    match bytes.len() {
        size if size > FINDING_BYTES_MAX => Err(Error::Size { bytes: size, max: FINDING_BYTES_MAX }),
        _ => Ok((id, bytes)),
    }
}

fn identifier(pipeline: &str, case: &str, ordinal: u32, end: i64, content: &[u8]) -> String {
    let (ordinal, end, content) = (ordinal.to_be_bytes(), end.to_be_bytes(), canonical::digest(content));
    canonical::identifier("f-", &[pipeline.as_bytes(), case.as_bytes(), &ordinal, &end, &content.0])
}

fn event(report: &Report, origin: &Origin) -> DetectionFinding {
    let activity = report.activity;
    let (status_id, status, status_detail) = match activity {
        Activity::Opened => (Some(1), Some("New"), None),
        // Whether somebody has looked at the case is not known here.
        Activity::Updated => (None, None, None),
        Activity::Closed => (Some(99), Some("Quiet"), Some("closed because nothing further happened, not by a review")),
    };
    let first = report.sentences.first().map(String::as_str).unwrap_or_default();
    DetectionFinding {
        activity_id: activity.id(),
        activity_name: activity.caption().to_owned(),
        anomaly_analyses: anomalies(report),
        category_name: CATEGORY.1.to_owned(),
        category_uid: CATEGORY.0,
        class_name: CLASS.1.to_owned(),
        class_uid: CLASS.0,
        confidence: report.confidence.caption().to_owned(),
        confidence_id: report.confidence.id(),
        evidences: evidences(report, &origin.time_zone),
        finding_info: info(report, origin),
        is_alert: activity != Activity::Closed,
        message: format!("{}: {}. {first}", report.subject, report.title.trim_end_matches('.')),
        metadata: Metadata {
            product: Product {
                feature: Feature { name: origin.pipeline.clone(), version: origin.version.clone() },
                name: PRODUCT.to_owned(),
                vendor_name: PRODUCT.to_owned(),
                version: origin.engine_version.clone(),
            },
            uid: None,
            version: VERSION.to_owned(),
        },
        observables: observables(report),
        resources: resources(report),
        risk_score: report.risk,
        severity: report.severity.caption().to_owned(),
        severity_id: report.severity.id(),
        status: status.map(str::to_owned),
        status_detail: status_detail.map(str::to_owned),
        status_id,
        time: report.end,
        type_name: format!("{}: {}", CLASS.1, activity.caption()),
        type_uid: CLASS.0 * 100 + activity.id(),
        unmapped: Unmapped { chartwarden: ours(report, origin) },
    }
}

fn info(report: &Report, origin: &Origin) -> FindingInfo {
    let model = Analytic {
        name: Some(origin.model_name.clone()),
        kind: "Learning (ML/DL)".to_owned(),
        type_id: 4,
        uid: origin.model.to_string(),
    };
    let rules = report.rules.iter().take(RULES_TOLD_MAX).map(|(id, title)| Analytic {
        name: title.clone(),
        kind: "Rule".to_owned(),
        type_id: 1,
        uid: id.clone(),
    });
    // No model speaks of entities.
    let model = report.entity.is_none().then_some(model);
    let mut analytics: Vec<_> = model.into_iter().chain(rules).collect();
    let leader = usize::from(report.entity.is_none() && report.led_by_rule && analytics.len() > 1);
    let analytic = analytics.remove(leader);
    FindingInfo {
        analytic,
        attacks: report.techniques.iter().take(TECHNIQUES_MAX).map(|id| technique(id)).collect(),
        created_time: report.opened,
        desc: report.sentences.join("\n"),
        first_seen_time: report.span.map(|(first, _)| first),
        last_seen_time: report.span.map(|(_, last)| last),
        modified_time: report.end,
        related_analytics: analytics,
        related_events: report
            .earlier
            .iter()
            .map(|earlier| RelatedEvent {
                type_name: format!("{}: {}", CLASS.1, earlier.activity.caption()),
                type_uid: CLASS.0 * 100 + earlier.activity.id(),
                uid: earlier.id.clone(),
            })
            .collect(),
        title: report.title.clone(),
        uid: report.case_id.clone(),
    }
}

fn technique(id: &str) -> Attack {
    let parent = id.split_once('.').map_or(id, |(parent, _)| parent);
    let named = |id: &str| Named { name: attack::find(id).map(|known| known.name.to_owned()), uid: id.to_owned() };
    let known = attack::find(id).or_else(|| attack::find(parent));
    Attack {
        sub_technique: (id != parent).then(|| named(id)),
        tactic: known.map(|known| Named { name: Some(known.tactic.1.to_owned()), uid: known.tactic.0.to_owned() }),
        technique: named(parent),
        version: known.map(|_| attack::VERSION.to_owned()),
    }
}

fn anomalies(report: &Report) -> Vec<AnomalyAnalysis> {
    if report.features.is_empty() {
        return Vec::new();
    }
    let observation = |value: &Value| vec![Observation { value: value.plain() }];
    let anomalies = report.features.iter().map(|told| Anomaly {
        observation_parameter: told.feature.clone(),
        observations: observation(&told.value),
        observed_pattern: Some(told.sentence.clone()),
    });
    let baselines = report.features.iter().filter_map(|told| told.baseline.as_ref()).map(|(column, value)| Anomaly {
        observation_parameter: column.clone(),
        observations: observation(value),
        observed_pattern: None,
    });
    vec![AnomalyAnalysis {
        analysis_targets: vec![AnalysisTarget {
            name: report.subject.clone(),
            kind: report.entity.clone().unwrap_or_else(|| "User".to_owned()),
        }],
        anomalies: anomalies.collect(),
        baselines: baselines.collect(),
    }]
}

/// First the values that mattered, with the user where it is one; then one piece per patient, or per user.
fn evidences(report: &Report, zone: &TimeZone) -> Vec<EvidenceItem> {
    let acted = |uid: &str| Some(Actor { user: User { uid: uid.to_owned() } });
    let subject = || report.entity.is_none().then(|| acted(&report.subject)).flatten();
    let contributing = report.contributions.iter().map(|listed| (&listed.feature, &listed.value));
    let row = report.row.iter().map(|(column, value)| (column, value));
    let features: BTreeMap<_, _> =
        contributing.chain(row).map(|(column, value)| (column.clone(), json(value))).collect();
    let values = EvidenceItem { actor: subject(), data: EvidenceData::Features { features }, name: None };
    let pairs = report.pairs.iter().map(|pair| EvidenceItem {
        actor: match &pair.other {
            Other::Patient(_) => subject(),
            Other::User(key) => acted(key),
        },
        name: Some(pair.sentence(zone)),
        data: EvidenceData::Pair(pair.clone()),
    });
    std::iter::once(values).chain(pairs).collect()
}

/// The patients' records; of an entity, itself.
fn resources(report: &Report) -> Vec<Resource> {
    let resource = |labels: &[String], kind: &str, uid: &str| Resource {
        labels: labels.to_vec(),
        role: "Target".to_owned(),
        role_id: 1,
        kind: kind.to_owned(),
        uid: uid.to_owned(),
    };
    match &report.entity {
        None => report.pairs.iter().map(|pair| resource(&pair.flags, "Patient record", pair.other.key())).collect(),
        Some(entity) => vec![resource(&[], entity, &report.subject)],
    }
}

fn observables(report: &Report) -> Vec<Observable> {
    let observable = |name: String, type_id, value: &str| Observable { name, type_id, value: value.to_owned() };
    let user = |index: usize, key| observable(format!("evidences[{index}].actor.user.uid"), OBSERVABLE_USER, key);
    let resource = |index: usize, key| observable(format!("resources[{index}].uid"), OBSERVABLE_RESOURCE, key);
    let others = report.pairs.iter().map(|pair| pair.other.key()).enumerate();
    match &report.entity {
        None => {
            let patients = others.map(|(index, patient)| resource(index, patient));
            std::iter::once(user(0, &report.subject)).chain(patients).collect()
        }
        Some(_) => {
            let users = others.map(|(index, key)| user(index + 1, key));
            std::iter::once(resource(0, &report.subject)).chain(users).collect()
        }
    }
}

fn ours(report: &Report, origin: &Origin) -> Ours {
    Ours {
        because: report.because.clone(),
        contributions: report
            .contributions
            .iter()
            .map(|listed| Weighed {
                feature: listed.feature.clone(),
                value: json(&listed.value),
                weight: listed.weight.number(),
            })
            .collect(),
        evidence: report.evidence.map(|(rows, digest)| EvidenceNote { digest, rows }),
        open_score: report.open_score.number(),
        ordinal: report.ordinal,
        origin: origin.clone(),
        rules: report.rules.iter().map(|(id, _)| id.clone()).collect(),
        score: report.score.number(),
        subject: report.entity.clone().map(|entity| SubjectNote { entity, uid: report.subject.clone() }),
    }
}

/// A cell as JSON; an integer that JSON readers would round is written as text.
fn json(value: &Value) -> Json {
    match value {
        Value::Missing => Json::Null,
        Value::Flag(flag) => Json::Bool(*flag),
        Value::Whole(whole) if whole.unsigned_abs() > JSON_INTEGER_MAX.unsigned_abs() => whole.to_string().into(),
        Value::Whole(whole) => (*whole).into(),
        Value::Decimal(decimal) => (*decimal).into(),
        Value::Text(_) => value.plain().into(),
        Value::Time(time) => crate::evidence::json_time(*time).millis().into(),
    }
}

/// What the schema validators miss: ids that belong together, captions that say what their ids say, milliseconds.
pub(crate) fn check(value: &Json) -> Result<()> {
    let wrong = |what: String| Err(Error::Finding(what));
    let number = |path: &str| value.pointer(path).and_then(Json::as_i64);
    let text = |path: &str| value.pointer(path).and_then(Json::as_str);
    let activity = number("/activity_id").and_then(Activity::from_id);
    let Some(activity) = activity else { return wrong("activity_id is not 1, 2 or 3".to_owned()) };
    let severity = number("/severity_id").and_then(Severity::from_id);
    let Some(severity) = severity else { return wrong("severity_id is not 1 to 5".to_owned()) };
    let type_name = format!("{}: {}", CLASS.1, activity.caption());
    for (path, expected) in
        [("/category_uid", CATEGORY.0), ("/class_uid", CLASS.0), ("/type_uid", CLASS.0 * 100 + activity.id())]
    {
        if number(path) != Some(expected) {
            return wrong(format!("{} is {:?}, expected {expected}", &path[1..], number(path)));
        }
    }
    for (path, expected) in [
        ("/metadata/version", VERSION),
        ("/activity_name", activity.caption()),
        ("/category_name", CATEGORY.1),
        ("/class_name", CLASS.1),
        ("/severity", severity.caption()),
        ("/type_name", type_name.as_str()),
    ] {
        if text(path) != Some(expected) {
            return wrong(format!("{} is {:?}, expected `{expected}`", &path[1..], text(path)));
        }
    }
    match number("/time") {
        Some(time) if TIMES.contains(&time) => {}
        time => return wrong(format!("time {time:?} is not in milliseconds of the years 2000 to 2099")),
    }
    for path in ["/metadata/uid", "/finding_info/uid"] {
        if text(path).is_none_or(str::is_empty) {
            return wrong(format!("{} is missing", &path[1..]));
        }
    }
    Ok(())
}

/// Whether a finding bears the identifier of its own content. Under another's it could be sealed in that one's place.
pub(crate) fn check_identifier(value: Json) -> Result<()> {
    let said = value.pointer("/metadata/uid").and_then(Json::as_str).unwrap_or_default().to_owned();
    let id = identifier_of(value)?;
    if said == id {
        return Ok(());
    }
    let said: String = said.chars().take(NAME_BYTES_MAX).collect();
    Err(Error::Finding(format!("metadata/uid is {said:?}, and the finding that says this is `{id}`")))
}

/// The identifier that a finding's content gives it, whatever it bears. What versions differ in is hashed as it stands.
pub(crate) fn identifier_of(mut value: Json) -> Result<String> {
    if let Some(metadata) = value.pointer_mut("/metadata").and_then(Json::as_object_mut) {
        metadata.remove("uid");
    }
    let missing = |path: &str| Error::Finding(format!("{} is missing or of the wrong type", &path[1..]));
    let text = |path: &str| value.pointer(path).and_then(Json::as_str).ok_or_else(|| missing(path));
    let number = |path: &str| value.pointer(path).and_then(Json::as_i64).ok_or_else(|| missing(path));
    let (pipeline, case) = (text("/unmapped/chartwarden/origin/pipeline")?, text("/finding_info/uid")?);
    let place = "/unmapped/chartwarden/ordinal";
    let ordinal = u32::try_from(number(place)?).map_err(|_| missing(place))?;
    Ok(identifier(pipeline, case, ordinal, number("/time")?, &canonical::bytes(&value)?))
}

#[cfg(test)]
mod tests;
