use super::*;
use crate::fixture::{Line, at, cases, line, origin, pair, tick};

#[test]
fn what_was_told_is_read_back() {
    let mut cases = cases();
    let evidence = vec![pair("p1", 1, 3, 0.8), pair("p2", 2, 5, 0.9)];
    let lines = [Line { rules: &["household", "after-leaving"], evidence, ..line("u1", 0.912_345_678) }];
    let step = tick(&mut cases, at(3), &lines).unwrap();
    let finding = &step.findings[0];
    let view = read(&finding.bytes).unwrap();
    assert_eq!(view.id, finding.id);
    assert_eq!(view.case_id, finding.case_id);
    assert_eq!((view.subject.as_str(), view.tick_end, view.opened), ("u1", at(3), at(3)));
    assert_eq!((view.activity, view.severity, view.ordinal), (Activity::Opened, Severity::Critical, 0));
    assert_eq!((view.score, view.open_score, view.risk_score), (0.912_346, 0.5, 91));
    assert_eq!(view.score, finding.score);
    assert_eq!(view.confidence, "High");
    assert_eq!(view.title, "Access after leaving");
    assert_eq!(view.sentences, finding.sentences);
    assert_eq!(view.because, ["rule:after-leaving", "rule:household", "score"]);
    let ids: Vec<_> = view.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["after-leaving", "household"]);
    assert_eq!(view.rules[1].title.as_deref(), Some("Chart of the own household"));
    assert_eq!(view.techniques, ["T1078.002", "T1213"]);
    let mut strongest = pair("p2", 2, 5, 0.9);
    strongest.actions.reverse();
    strongest.flags.reverse();
    assert_eq!(view.evidence[0], strongest);
    assert_eq!(view.evidence.len(), 2);
    assert_eq!(view.span, Some((pair("p1", 1, 3, 0.8).first_time, at(2))));
    assert_eq!(view.evidence_digest.unwrap().0, 2);
    assert_eq!(view.contributions[0], Contribution { feature: "charts_1h".into(), value: 14.0, weight: 1.25 });
    assert_eq!(view.origin, origin());
    assert!(view.earlier.is_empty());
}

#[test]
fn the_evidence_digest_covers_what_is_not_shown() {
    let digest = |score| {
        let mut evidence: Vec<_> = (0..20).map(|patient| pair(&format!("p{patient:02}"), 1, 3, 0.9)).collect();
        evidence.push(pair("p99", 1, 3, score));
        let step = tick(&mut cases(), at(3), &[Line { evidence, ..line("u1", 0.9) }]).unwrap();
        let view = read(&step.findings[0].bytes).unwrap();
        assert_eq!(view.evidence.len(), 10);
        assert!(view.sentences.contains(&"21 patients in all, of whom the evidence lists 10.".to_owned()));
        (view.evidence_digest.unwrap(), view.id)
    };
    assert_eq!(digest(0.1).0.0, 21);
    assert_ne!(digest(0.1), digest(0.2));
}

#[test]
fn later_findings_name_the_earlier_ones() {
    let mut cases = cases();
    let mut ids = Vec::new();
    for (hours, rules) in [(1, &["household"][..]), (2, &["audit-off"]), (3, &["after-leaving"])] {
        let step = tick(&mut cases, at(hours), &[Line { rules, ..line("u1", 0.1) }]).unwrap();
        let view = read(&step.findings[0].bytes).unwrap();
        assert_eq!(view.earlier, ids);
        assert_eq!(view.ordinal as usize, ids.len());
        ids.push(view.id);
    }
    let closed = cases.close_quiet(at(24 * 8)).unwrap();
    let view = read(&closed.findings[0].bytes).unwrap();
    assert_eq!((view.earlier, view.activity, view.evidence_digest), (ids, Activity::Closed, None));
}

#[test]
fn bytes_that_are_no_finding_of_ours_are_refused() {
    for bytes in [&b""[..], b"{}", b"[]", b"null", b"{\"metadata\":{}}", b"\xff"] {
        assert_eq!(read(bytes).unwrap_err().kind(), base::Kind::Corrupt);
    }
}

#[test]
fn every_cut_of_a_finding_is_refused() {
    let step = tick(&mut cases(), at(3), &[line("u1", 0.9)]).unwrap();
    let bytes = &step.findings[0].bytes;
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err());
    }
}
