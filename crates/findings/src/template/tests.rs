use super::*;

fn fill(template: &str, value: &Value) -> String {
    Template::parse(template).unwrap().render(&|_| value.clone(), &TimeZone::UTC)
}

#[test]
fn placeholders_are_filled_by_their_form() {
    let cases = [
        ("opened {n|charts}", Value::Whole(14), "Opened 14 charts."),
        ("opened {n|charts}", Value::Whole(1), "Opened 1 chart."),
        ("opened {n|charts}", Value::Decimal(1.0), "Opened 1 chart."),
        ("opened {n|charts}", Value::Decimal(1.5), "Opened 1.5 charts."),
        ("opened {n|charts}", Value::Whole(0), "Opened no charts."),
        ("opened {n|charts}", Value::Missing, "Opened an unknown number of charts."),
        ("{n|person|people} looked", Value::Whole(2), "2 people looked."),
        ("at {n}", Value::Whole(12_345), "At 12,345."),
        ("at {n}", Value::Text("Ward 7\nB".into()), "At Ward 7 B."),
        ("at {n}", Value::Missing, "At unknown."),
        ("at {n}", Value::Flag(true), "At yes."),
        ("{n:percent} of it", Value::Decimal(0.874), "87.4 % of it."),
        ("{n:points} that of others", Value::Decimal(0.125), "12.5 percentage points above that of others."),
        ("{n:points} that of others", Value::Decimal(-0.034), "3.4 percentage points below that of others."),
        ("{n:times} the usual", Value::Decimal(2.5), "2.5 times the usual."),
        ("sent {n:bytes}", Value::Whole(1_500_000), "Sent 1.5 MB."),
        ("after {n:duration}", Value::Whole(5_400_000), "After 1 h 30 min."),
        ("at {n:time}", Value::Whole(0), "At 1970-01-01 00:00 UTC."),
        ("on {n:date}", Value::Time(Timestamp::from_millis(0)), "On 1970-01-01."),
        ("on {n:date}", Value::Missing, "On unknown."),
        ("a {{brace}} and {n}", Value::Whole(3), "A {brace} and 3."),
    ];
    for (template, value, expected) in cases {
        assert_eq!(fill(template, &value), expected);
    }
}

#[test]
fn a_template_that_cannot_be_read_says_why() {
    let cases = [
        ("", "the sentence is empty"),
        ("a\nb", "the sentence holds a line break or another control character"),
        ("{n", "a `{` is not closed"),
        ("n}", "a `}` stands alone: write `}}` for a brace"),
        ("{}", "placeholder `{}` names no column"),
        ("{n|}", "placeholder `{n|}` names nothing to count"),
        ("{|charts}", "placeholder `{|charts}` names no column"),
        (
            "{n:feet}",
            "placeholder `{n:feet}`: unknown form `feet`, expected one of percent, points, times, bytes, duration, time, date",
        ),
        ("{a}{a}{a}{a}{a}{a}{a}", "the sentence has 7 placeholders, at most 6 allowed"),
    ];
    for (template, expected) in cases {
        assert_eq!(Template::parse(template).unwrap_err(), expected);
    }
    let long = "x".repeat(361);
    assert_eq!(Template::parse(&long).unwrap_err(), "the sentence has 361 bytes, at most 360 allowed");
}

#[test]
fn columns_are_named_in_order() {
    let template = Template::parse("{b|charts} of {a}, {c:bytes}").unwrap();
    assert_eq!(template.columns().collect::<Vec<_>>(), ["b", "a", "c"]);
}
