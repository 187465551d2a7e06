//! Links the tests as the product is linked (see `crates/kafka/build.rs`).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(argument) = std::env::var("DEP_CHARTWARDEN_KAFKA_LINK_ARG") {
        println!("cargo::rustc-link-arg={argument}");
    }
}
