//! Has the linker hand a call inside librdkafka to `src/leaders.rs` (see there): for this crate's own tests, and, told
//! on as `DEP_CHARTWARDEN_KAFKA_LINK_ARG`, for every package whose build script links a binary with this crate in it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Other linkers know no such option; `leaders.rs` warns at run time where it is missing.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        let argument = "-Wl,--wrap=rd_kafka_metadata_update_op";
        println!("cargo::rustc-link-arg={argument}");
        println!("cargo::metadata=link_arg={argument}");
    }
}
