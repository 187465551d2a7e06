//! The HTTP endpoints `/metrics`, `/livez` and `/readyz`, and the signals that end the process.
//!
//! Listens on loopback unless told otherwise; on any other address it wants a bearer token. Whoever connects can take only
//! so much of the process: each connection has one answer and little time. Read next: `engine::Metrics`.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use engine::{Metrics, Progress};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;

use crate::report::{Failure, disk, note};

/// How often the server looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);
/// What those who scrape and probe need, many times over.
const LIMITS: Limits = Limits { connections: 64, header: Duration::from_secs(10), whole: Duration::from_secs(30) };
/// Bytes of a request's head, which are all that is kept of it.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What all clients together may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections at a time. Who comes beyond waits in the system's queue until one is closed.
    connections: usize,
    /// How long a client may take to send the head of its request.
    header: Duration,
    /// How long a connection may last, its answer included.
    whole: Duration,
}

/// What the endpoints show.
pub(crate) struct Shown {
    pub(crate) metrics: Metrics,
    pub(crate) progress: Progress,
    /// Ready without lanes: a process that has none.
    pub(crate) ready: AtomicBool,
    /// Set to end the process in good order.
    pub(crate) stop: AtomicBool,
    /// A person asked for the end.
    pub(crate) interrupted: AtomicBool,
}

impl Shown {
    pub(crate) fn new(metrics: Metrics) -> Arc<Self> {
        let (ready, stop, interrupted) = (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { metrics, progress: Progress::default(), ready, stop, interrupted })
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A server that listens and does not answer yet.
pub(crate) struct Server {
    listener: TcpListener,
    token: Option<String>,
}

impl Server {
    /// Takes the address; refuses a public one without a token.
    pub(crate) fn bind(address: SocketAddr, token_file: Option<&Path>) -> Result<Self> {
        let token = match token_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| disk(path, &error))?;
                let token = text.trim().to_owned();
                if token.len() < 16 {
                    return Err(Failure::invalid("the HTTP token has fewer than 16 characters")
                        .at(path.display())
                        .into());
                }
                Some(token)
            }
        };
        if !address.ip().is_loopback() && token.is_none() {
            let failure = Failure::invalid(format!("HTTP on {address} would be open to everybody"));
            return Err(failure.hint("give --http-token-file, or listen on 127.0.0.1").into());
        }
        let listener = TcpListener::bind(address).map_err(|error| {
            Failure::unavailable(format!("HTTP cannot listen on {address}: {error}"))
                .hint("name another address with --http, as in `--http 127.0.0.1:0`")
        })?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, token })
    }

    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }
}

/// Serves and watches for signals until `done`: the first one asks for the end, the second ends the process.
pub(crate) fn serve(server: Option<Server>, shown: &Arc<Shown>, done: &AtomicBool) -> Result<()> {
    crate::anchor::runtime()?.block_on(async {
        let signals = tokio::spawn(signals(Arc::clone(shown)));
        if let Some(server) = server {
            let listener = tokio::net::TcpListener::from_std(server.listener)?;
            tokio::spawn(answer(listener, routes(shown, server.token), LIMITS));
        }
        while !done.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK).await;
        }
        signals.abort();
        Ok(())
    })
}

fn routes(shown: &Arc<Shown>, token: Option<String>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(Arc::new(token), authorised))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(Arc::clone(shown))
}

/// Answers one request on each connection, within the limits, as long as it is polled.
async fn answer(mut listener: tokio::net::TcpListener, routes: Router, limits: Limits) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header).keep_alive(false).max_buf_size(HEAD_BYTES_MAX);
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let (stream, _) = Listener::accept(&mut listener).await;
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes.clone()));
        tokio::spawn(async move {
            // How it ended is its client's affair.
            drop(tokio::time::timeout(limits.whole, connection).await);
            drop(place);
        });
    }
}

async fn metrics(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shown.metrics.text())
}

async fn ready(State(shown): State<Arc<Shown>>) -> (StatusCode, &'static str) {
    let laneless = shown.progress.snapshot().lanes.is_empty() && !shown.ready.load(Ordering::Relaxed);
    match (shown.is_stopping(), laneless) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "no lanes yet\n"),
        (false, false) => (StatusCode::OK, "ok\n"),
    }
}

async fn authorised(State(token): State<Arc<Option<String>>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    match token.as_ref() {
        Some(token) if !given.is_some_and(|given| same(given, token)) => StatusCode::UNAUTHORIZED.into_response(),
        _ => next.run(request).await,
    }
}

/// Equality whose time says nothing about where two texts differ.
fn same(a: &str, b: &str) -> bool {
    let different = a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && different == 0
}

async fn signals(shown: Arc<Shown>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    loop {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        if shown.interrupted.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        note("stopping: what is closed is committed; once more to stop at once");
        shown.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
