//! What others read: findings by OCSF's validators, the ledger by Go's reference code, metrics by a real Prometheus.
//!
//! Every test has its negative control: a tool that says yes to everything would fail it.

mod ledger_go;
mod ledger_offline;
mod metrics;
mod ocsf;
mod side_doors;
