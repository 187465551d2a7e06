//! The network between a broker and those who speak with it: sound, slow, silent, or cut, as a test likes.
//!
//! Bytes are passed on in order or the connection ends, as TCP promises; a silent wire holds what it was given until it
//! is mended, like a network that drops packets which are sent again later.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that are passed on at once; with a slow wire, each takes its time.
const CHUNK: usize = 64 * 1024;

/// What the wire does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Passes them on.
    Sound,
    /// Passes each piece on after a while.
    Slow(Duration),
    /// Holds them.
    Silent,
    /// Ends every connection, and each new one.
    Cut,
    /// The wire is taken away.
    Gone,
}

/// A port that passes on what it hears to another.
pub(super) struct Wire {
    pub(super) port: u16,
    state: Arc<State>,
}

/// Shared with the threads that pass bytes on.
struct State {
    now: Mutex<Now>,
    changed: Condvar,
}

struct Now {
    network: Network,
    /// Both ends of every connection there has been since the wire was last cut.
    ends: Vec<TcpStream>,
}

impl Wire {
    /// Listens on a free port of the loopback, for `target` on the same.
    pub(super) fn start(target: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let now = Mutex::new(Now { network: Network::Sound, ends: Vec::new() });
        let state = Arc::new(State { now, changed: Condvar::new() });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if shared.now().network == Network::Gone {
                    return;
                }
                // A broker that is down refuses, and so does the wire.
                let _ = TcpStream::connect(("127.0.0.1", target)).and_then(|far| shared.join(near, far));
            }
        });
        Ok(Self { port, state })
    }

    /// From now on it is so.
    pub(super) fn set(&self, network: Network) {
        let mut now = self.state.now();
        now.network = network;
        if network.ends() {
            now.ends.drain(..).for_each(end);
        }
        self.state.changed.notify_all();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.set(Network::Gone);
        // Wakes the listener.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Network {
    fn ends(self) -> bool {
        matches!(self, Self::Cut | Self::Gone)
    }
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes bytes between two connections, both ways, until either ends or the wire is cut.
    fn join(self: &Arc<Self>, near: TcpStream, far: TcpStream) -> std::io::Result<()> {
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let ways = [(near.try_clone()?, far.try_clone()?), (far.try_clone()?, near.try_clone()?)];
        let mut now = self.now();
        if now.network.ends() {
            return Ok(());
        }
        now.ends.extend([near, far]);
        for (from, to) in ways {
            let state = Arc::clone(self);
            thread::spawn(move || {
                state.pass(&from, &to);
                end(from);
                end(to);
            });
        }
        Ok(())
    }

    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut bytes = vec![0; CHUNK];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            self.carry();
            if to.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
    }

    /// Takes as long as the wire asks for.
    fn carry(&self) {
        let network = self.now().network;
        if let Network::Slow(time) = network {
            thread::sleep(time);
        }
        let silent = |now: &mut Now| now.network == Network::Silent;
        drop(self.changed.wait_while(self.now(), silent));
    }
}

fn end(connection: TcpStream) {
    let _ = connection.shutdown(Shutdown::Both);
}
