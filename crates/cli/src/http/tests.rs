use std::future::pending;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use engine::{ModelUse, Sink};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::shipped;

/// Longer than anything here takes.
const PATIENT: Duration = Duration::from_secs(60);
/// What may be waited for in vain.
const SHORT: Duration = Duration::from_millis(500);

/// Answers as long as the runtime is there.
fn open(routes: Router, limits: Limits) -> (SocketAddr, Runtime) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(answer(listener, routes, limits));
    (address, runtime)
}

fn quick() -> Router {
    Router::new().route("/livez", get(|| async { "ok\n" }))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENT)).unwrap();
    stream
}

fn send(stream: &mut TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
}

/// Everything until the connection is closed from there.
fn rest(stream: &mut TcpStream) -> io::Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn who_is_slow_to_ask_is_cut_off() {
    let (address, _runtime) = open(quick(), Limits { connections: 8, header: SHORT, whole: 10 * PATIENT });
    let (mut silent, mut slow) = (connect(address), connect(address));
    write!(slow, "GET /livez HTTP/1.1\r\nHost: he").unwrap();
    for (stream, who) in [(&mut silent, "silent"), (&mut slow, "slow")] {
        let told = rest(stream).unwrap_or_else(|error| panic!("{who}: {error}"));
        assert!(!told.contains("200 OK"), "{who}: {told}");
    }
    let mut ordinary = connect(address);
    send(&mut ordinary, "/livez");
    assert!(rest(&mut ordinary).unwrap().ends_with("ok\n"), "others are answered");
}

#[test]
fn no_connection_lasts_however_long_its_answer_takes() {
    let (address, _runtime) =
        open(quick().route("/never", get(pending::<&str>)), Limits { connections: 8, header: PATIENT, whole: SHORT });
    let mut stream = connect(address);
    send(&mut stream, "/never");
    assert_eq!(rest(&mut stream).unwrap(), "");
}

#[test]
fn who_comes_beyond_the_limit_waits_until_a_connection_is_closed() {
    let (address, _runtime) = open(quick(), Limits { connections: 2, header: 10 * PATIENT, whole: 10 * PATIENT });
    let (first, _second) = (connect(address), connect(address));
    let mut third = connect(address);
    send(&mut third, "/livez");
    third.set_read_timeout(Some(SHORT)).unwrap();
    let error = rest(&mut third).expect_err("three are answered at once");
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
    drop(first);
    third.set_read_timeout(Some(PATIENT)).unwrap();
    assert!(rest(&mut third).unwrap().ends_with("ok\n"));
}

#[test]
fn a_scrape_is_answered_and_readiness_is_about_lanes_alone() {
    let shown = Shown::new(Metrics::new(&shipped::load(ModelUse::Record).unwrap()).unwrap());
    let (address, _runtime) = open(routes(&shown, None), LIMITS);
    let ask = |path: &str| {
        let mut stream = connect(address);
        send(&mut stream, path);
        rest(&mut stream).unwrap()
    };
    let unready = ask("/readyz");
    assert!(unready.starts_with("HTTP/1.1 503 ") && unready.ends_with("no lanes yet\n"), "{unready}");
    shown.ready.store(true, Ordering::Relaxed);
    shown.metrics.sink_failure(Sink::Ledger);
    let scraped = ask("/metrics");
    assert!(scraped.starts_with("HTTP/1.1 200 OK\r\n") && scraped.contains("\r\nconnection: close\r\n"), "{scraped}");
    assert!(scraped.contains("\nchartwarden_sink_failures_total{sink=\"ledger\"} 1\n"), "{scraped}");
    let ready = ask("/readyz");
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n"), "a ledger that fails is no reason to be passed over: {ready}");
}

#[test]
fn a_public_address_without_a_token_is_refused() {
    let address = "0.0.0.0:0".parse().unwrap();
    let error = Server::bind(address, None).err().expect("refused");
    assert!(error.to_string().contains("open to everybody"), "{error}");
}

#[test]
fn a_short_token_is_refused() {
    let path = std::env::temp_dir().join(format!("chartwarden-token-{}", std::process::id()));
    std::fs::write(&path, "tiny\n").unwrap();
    let bound = Server::bind("127.0.0.1:0".parse().unwrap(), Some(&path));
    std::fs::remove_file(&path).unwrap();
    assert!(bound.err().expect("refused").to_string().contains("fewer than 16"));
}

#[test]
fn tokens_are_equal_only_as_a_whole() {
    assert!(same("0123456789abcdef", "0123456789abcdef"));
    assert!(!same("0123456789abcdef", "0123456789abcdeg"));
    assert!(!same("0123", "0123456789abcdef"));
}
