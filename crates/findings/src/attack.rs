//! The MITRE ATT&CK techniques that rules over charts and sign-ins name, with their names and the tactic they serve
//! here. Ids, names and tactics are those of Enterprise ATT&CK 18.1; of a technique with several tactics the one that
//! fits abuse of a hospital's own accounts stands first and is the one told.
//!
//! A technique that is not in this table is told by its id alone.

/// The release the table was checked against.
pub(crate) const VERSION: &str = "18.1";

/// A technique or sub-technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Technique {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) tactic: Tactic,
}

/// A tactic: id and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tactic(pub(crate) &'static str, pub(crate) &'static str);

const INITIAL_ACCESS: Tactic = Tactic("TA0001", "Initial Access");
const PERSISTENCE: Tactic = Tactic("TA0003", "Persistence");
const PRIVILEGE_ESCALATION: Tactic = Tactic("TA0004", "Privilege Escalation");
const DEFENSE_EVASION: Tactic = Tactic("TA0005", "Defense Evasion");
const CREDENTIAL_ACCESS: Tactic = Tactic("TA0006", "Credential Access");
const DISCOVERY: Tactic = Tactic("TA0007", "Discovery");
const LATERAL_MOVEMENT: Tactic = Tactic("TA0008", "Lateral Movement");
const COLLECTION: Tactic = Tactic("TA0009", "Collection");
const EXFILTRATION: Tactic = Tactic("TA0010", "Exfiltration");
const COMMAND_AND_CONTROL: Tactic = Tactic("TA0011", "Command and Control");
const IMPACT: Tactic = Tactic("TA0040", "Impact");

const fn technique(id: &'static str, name: &'static str, tactic: Tactic) -> Technique {
    Technique { id, name, tactic }
}

/// In order of id.
const TABLE: &[Technique] = &[
    technique("T1005", "Data from Local System", COLLECTION),
    technique("T1020", "Automated Exfiltration", EXFILTRATION),
    technique("T1021", "Remote Services", LATERAL_MOVEMENT),
    technique("T1029", "Scheduled Transfer", EXFILTRATION),
    technique("T1030", "Data Transfer Size Limits", EXFILTRATION),
    technique("T1039", "Data from Network Shared Drive", COLLECTION),
    technique("T1048", "Exfiltration Over Alternative Protocol", EXFILTRATION),
    technique("T1052", "Exfiltration Over Physical Medium", EXFILTRATION),
    technique("T1052.001", "Exfiltration over USB", EXFILTRATION),
    technique("T1069", "Permission Groups Discovery", DISCOVERY),
    technique("T1070", "Indicator Removal", DEFENSE_EVASION),
    technique("T1074", "Data Staged", COLLECTION),
    technique("T1078", "Valid Accounts", INITIAL_ACCESS),
    technique("T1078.001", "Default Accounts", INITIAL_ACCESS),
    technique("T1078.002", "Domain Accounts", INITIAL_ACCESS),
    technique("T1078.003", "Local Accounts", INITIAL_ACCESS),
    technique("T1078.004", "Cloud Accounts", INITIAL_ACCESS),
    technique("T1087", "Account Discovery", DISCOVERY),
    technique("T1090", "Proxy", COMMAND_AND_CONTROL),
    technique("T1090.003", "Multi-hop Proxy", COMMAND_AND_CONTROL),
    technique("T1098", "Account Manipulation", PRIVILEGE_ESCALATION),
    technique("T1098.003", "Additional Cloud Roles", PRIVILEGE_ESCALATION),
    technique("T1098.005", "Device Registration", PERSISTENCE),
    technique("T1110", "Brute Force", CREDENTIAL_ACCESS),
    technique("T1110.001", "Password Guessing", CREDENTIAL_ACCESS),
    technique("T1110.003", "Password Spraying", CREDENTIAL_ACCESS),
    technique("T1110.004", "Credential Stuffing", CREDENTIAL_ACCESS),
    technique("T1111", "Multi-Factor Authentication Interception", CREDENTIAL_ACCESS),
    technique("T1113", "Screen Capture", COLLECTION),
    technique("T1119", "Automated Collection", COLLECTION),
    technique("T1133", "External Remote Services", INITIAL_ACCESS),
    technique("T1136", "Create Account", PERSISTENCE),
    technique("T1185", "Browser Session Hijacking", COLLECTION),
    technique("T1199", "Trusted Relationship", INITIAL_ACCESS),
    technique("T1213", "Data from Information Repositories", COLLECTION),
    technique("T1213.006", "Databases", COLLECTION),
    technique("T1485", "Data Destruction", IMPACT),
    technique("T1486", "Data Encrypted for Impact", IMPACT),
    technique("T1528", "Steal Application Access Token", CREDENTIAL_ACCESS),
    technique("T1530", "Data from Cloud Storage", COLLECTION),
    technique("T1531", "Account Access Removal", IMPACT),
    technique("T1534", "Internal Spearphishing", LATERAL_MOVEMENT),
    technique("T1539", "Steal Web Session Cookie", CREDENTIAL_ACCESS),
    technique("T1548", "Abuse Elevation Control Mechanism", PRIVILEGE_ESCALATION),
    technique("T1550", "Use Alternate Authentication Material", LATERAL_MOVEMENT),
    technique("T1550.001", "Application Access Token", LATERAL_MOVEMENT),
    technique("T1550.004", "Web Session Cookie", LATERAL_MOVEMENT),
    technique("T1556", "Modify Authentication Process", CREDENTIAL_ACCESS),
    technique("T1556.006", "Multi-Factor Authentication", CREDENTIAL_ACCESS),
    technique("T1557", "Adversary-in-the-Middle", CREDENTIAL_ACCESS),
    technique("T1560", "Archive Collected Data", COLLECTION),
    technique("T1562", "Impair Defenses", DEFENSE_EVASION),
    technique("T1562.001", "Disable or Modify Tools", DEFENSE_EVASION),
    technique("T1562.008", "Disable or Modify Cloud Logs", DEFENSE_EVASION),
    technique("T1565", "Data Manipulation", IMPACT),
    technique("T1565.001", "Stored Data Manipulation", IMPACT),
    technique("T1566", "Phishing", INITIAL_ACCESS),
    technique("T1567", "Exfiltration Over Web Service", EXFILTRATION),
    technique("T1567.002", "Exfiltration to Cloud Storage", EXFILTRATION),
    technique("T1606", "Forge Web Credentials", CREDENTIAL_ACCESS),
    technique("T1621", "Multi-Factor Authentication Request Generation", CREDENTIAL_ACCESS),
    technique("T1656", "Impersonation", DEFENSE_EVASION),
    technique("T1657", "Financial Theft", IMPACT),
];

/// The technique with this id, if the table has it.
pub(crate) fn find(id: &str) -> Option<&'static Technique> {
    TABLE.binary_search_by(|technique| technique.id.cmp(id)).ok().map(|at| &TABLE[at])
}

/// Whether the text has the form of a technique id: `T` and four digits, and for a sub-technique a point and three.
pub(crate) fn is_id(text: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = text.strip_prefix('T') else { return false };
    match rest.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(rest, 4),
    }
}

#[cfg(test)]
mod tests;
