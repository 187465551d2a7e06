//! The verbs of each task: which kinds of record are read and what is then written, printed or exported.

use crate::draw::Draw;
use crate::visit::Task;

/// One event of a visit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
    /// Milliseconds since the step before.
    pub(crate) gap: i64,
}

const CLINICAL: [&str; 10] = [
    "Patient",
    "Condition",
    "Observation",
    "Observation",
    "MedicationRequest",
    "AllergyIntolerance",
    "DocumentReference",
    "DiagnosticReport",
    "Encounter",
    "Procedure",
];
const DOCUMENTS: [&str; 5] = ["DocumentReference", "Condition", "Procedure", "Encounter", "Claim"];
const OFFICE: [&str; 4] = ["Patient", "Coverage", "Encounter", "Appointment"];
const DRUGS: [&str; 4] = ["MedicationRequest", "MedicationAdministration", "AllergyIntolerance", "Observation"];
const LABORATORY: [&str; 3] = ["ServiceRequest", "Specimen", "Observation"];

/// Usual number of reads, what is read, and what may follow: action, resource, probability.
type Recipe = (f64, &'static [&'static str], &'static [(&'static str, &'static str, f64)]);

fn recipe(task: Task) -> Recipe {
    match task {
        Task::Glance => (2.0, &CLINICAL, &[]),
        Task::Review => (6.6, &CLINICAL, &[("update", "Observation", 0.03), ("print", "DocumentReference", 0.01)]),
        Task::Chart => (
            4.2,
            &CLINICAL,
            &[
                ("create", "Observation", 0.8),
                ("update", "DocumentReference", 0.45),
                ("delete", "DocumentReference", 0.006),
                ("print", "DocumentReference", 0.02),
            ],
        ),
        Task::Order => (
            5.0,
            &CLINICAL,
            &[("create", "MedicationRequest", 0.6), ("create", "ServiceRequest", 0.5), ("print", "Patient", 0.02)],
        ),
        Task::Medicate => (3.2, &DRUGS, &[("create", "MedicationAdministration", 0.95)]),
        Task::Dispense => {
            (2.4, &DRUGS, &[("create", "MedicationDispense", 0.8), ("update", "MedicationRequest", 0.25)])
        }
        Task::Register => (
            1.6,
            &OFFICE,
            &[
                ("update", "Patient", 0.5),
                ("update", "Coverage", 0.3),
                ("create", "Encounter", 0.6),
                ("print", "Patient", 0.1),
            ],
        ),
        Task::Code => (4.6, &DOCUMENTS, &[("update", "Condition", 0.7), ("create", "Claim", 0.5)]),
        Task::Bill => (2.2, &OFFICE, &[("create", "Claim", 0.8), ("print", "Claim", 0.12), ("export", "Claim", 0.03)]),
        Task::Result => (1.6, &LABORATORY, &[("create", "Observation", 0.9), ("update", "DiagnosticReport", 0.3)]),
        Task::Extract => (3.4, &CLINICAL, &[("export", "DocumentReference", 0.9)]),
        Task::Print => (3.4, &CLINICAL, &[("print", "DocumentReference", 1.0)]),
        Task::Amend => (
            2.4,
            &CLINICAL,
            &[
                ("update", "DocumentReference", 0.9),
                ("update", "Condition", 0.4),
                ("delete", "DocumentReference", 0.15),
            ],
        ),
        Task::Search => (0.0, &CLINICAL, &[]),
    }
}

/// Draws the events of a visit into `out`, which is cleared. The first has no gap.
pub(crate) fn steps(task: Task, searched: bool, verbosity: f64, draw: &mut Draw, out: &mut Vec<Step>) {
    out.clear();
    let (reads, resources, endings) = recipe(task);
    let searches = match task {
        Task::Search => 1 + usize::from(draw.chance(0.4)),
        _ => usize::from(searched),
    };
    for _ in 0..searches {
        let gap = if out.is_empty() { 0 } else { draw.span(2_500, 9_000) };
        out.push(Step { action: "search", resource: "Patient", gap });
    }
    if task != Task::Search {
        // A house that logs little still logs the opening.
        let level = draw.between(0.6, 1.4);
        let count = draw.round(reads * verbosity * level).max(1);
        let quick = 1.0 / verbosity.max(1.0);
        for _ in 0..count {
            let gap = if out.is_empty() { 0 } else { (draw.between(700.0, 9_000.0) * quick) as i64 };
            let resource = resources[draw.below(resources.len())];
            out.push(Step { action: "read", resource, gap });
        }
    }
    for (action, resource, probability) in endings {
        if draw.chance(*probability) {
            out.push(Step { action, resource, gap: draw.span(3_000, 40_000) });
        }
    }
}

/// The action in the words of a vendor.
pub(crate) fn raw_word(action: &str) -> &'static str {
    match action {
        "search" => "PATIENT_LOOKUP",
        "read" => "CHART_VIEW",
        "create" => "ENTRY_NEW",
        "update" => "ENTRY_EDIT",
        "delete" => "ENTRY_REMOVE",
        "print" => "REPORT_PRINT",
        "export" => "REPORT_EXPORT",
        "override" => "ACCESS_OVERRIDE",
        _ => "OTHER",
    }
}
