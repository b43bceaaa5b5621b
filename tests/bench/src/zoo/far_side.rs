//! The far side of the slow sinks: a real server on loopback that is slow in several manners.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Its paths: the answer comes late, and says that it should be tried again; there is none; it comes byte by byte, without end.
pub(super) const MANNERS: [&str; 3] = ["late", "silent", "trickling"];
/// How late.
const LATE: Duration = Duration::from_secs(4);
/// Time between two bytes.
const DRIP: Duration = Duration::from_millis(100);
/// Longest wait for anything: longer than a sink may wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server; it stops when it is dropped.
pub(super) struct FarSide {
    address: SocketAddr,
    service: Arc<Service>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Service {
    over: Mutex<bool>,
    ends: Condvar,
    requests: AtomicUsize,
}

impl FarSide {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let service = Arc::<Service>::default();
        let served = Arc::clone(&service);
        let thread = std::thread::Builder::new().name("far-side".to_owned()).spawn(move || {
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    if !served.goes_on(Duration::ZERO) {
                        break;
                    }
                    let served = &served;
                    // A client that breaks off is no fault of the server.
                    scope.spawn(move || stream.and_then(|stream| served.answer(stream)).ok());
                }
            });
        })?;
        Ok(Self { address, service, thread: Some(thread) })
    }

    /// What a sink must be granted.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that came.
    pub(super) fn requests(&self) -> usize {
        self.service.requests.load(Ordering::Relaxed)
    }
}

impl Drop for FarSide {
    fn drop(&mut self) {
        *self.service.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.service.ends.notify_all();
        // Whoever waits for a connection gets one.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Service {
    /// Waits so long; answers whether the server goes on.
    fn goes_on(&self, time: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ends.wait_timeout_while(over, time, |over| !*over);
        let (over, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*over
    }

    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = [0; 1024];
        let read = stream.read(&mut head)?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default());
        match MANNERS.into_iter().find(|manner| head.starts_with(&format!("POST /{manner} "))) {
            Some("late") if self.goes_on(LATE) => {
                stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            }
            Some("trickling") => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
                while self.goes_on(DRIP) {
                    stream.write_all(b"x")?;
                }
                Ok(())
            }
            _ => {
                self.goes_on(PATIENCE);
                Ok(())
            }
        }
    }
}
