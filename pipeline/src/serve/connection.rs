//! Connections, and what one may cost: a request is read for some seconds, and some kilobytes, and a
//! response gets rid of itself or is given up. Each connection serves one request, so nobody keeps a
//! place by doing nothing.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::bound::Face;
use super::hub::{Hub, PAGES_MAX};
use super::patience::Patient;
use super::request;

/// Connections at the same time, pages among them; more are closed at once.
const CONNECTIONS_MAX: u32 = 64;
const _: () = assert!(CONNECTIONS_MAX as usize > 2 * PAGES_MAX, "pages must not keep scrapes out");

/// Time for a request to come in.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// Memory for the head of a request; a longer one is refused.
const REQUEST_BYTES_MAX: usize = 16 << 10;

/// Headers of a request; more are refused.
const HEADERS_MAX: usize = 64;

/// Rest after the system would not give a connection: it is short of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Places for connections.
#[derive(Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CONNECTIONS_MAX as usize)))
    }
}

impl Places {
    /// Waits until every place is free.
    pub(super) async fn all_free(&self) {
        let _ = self.0.acquire_many(CONNECTIONS_MAX).await;
    }
}

/// Takes connections in until the task is ended.
pub(super) async fn accept(listener: TcpListener, face: Face, hub: Arc<Hub>, places: Places) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places.0).try_acquire_owned() else { continue };
        let hub = Arc::clone(&hub);
        tokio::spawn(async move {
            serve(stream, face, &hub).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, face: Face, hub: &Hub) {
    // Events are small, and wanted now.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let (parts, _) = request.into_parts();
        let response = request::answer(&parts, face, hub);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIME)
        .max_buf_size(REQUEST_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    // A client that breaks off, or does not speak HTTP, has its answer or does not want one.
    let _ = connection.await;
}
