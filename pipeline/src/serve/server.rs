//! The thread that serves.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::bound::Bound;
use super::connection::{self, Places};
use super::hub::{Hub, Kind};
use super::publisher::Publisher;
use super::{About, stream};

/// Time that clients have to take the last results off when the run is over.
const FAREWELL: Duration = Duration::from_millis(500);

/// A server that runs until it is dropped; then it gives clients half a second to take off what is
/// left, and ends.
pub struct Server {
    hub: Arc<Hub>,
    /// Dropped, it lets the thread end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the open ports.
    pub(super) fn start(bound: Bound, about: About) -> io::Result<Self> {
        let page = bound.listeners.iter().any(|(.., face)| face.page);
        let hub = Arc::new(Hub::new(about, page));
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&hub);
        let thread = thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || runtime.block_on(serve(bound, served, stopped)))?;
        Ok(Self { hub, stop: Some(stop), thread: Some(thread) })
    }

    /// A sink whose results are served.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher::new(Arc::clone(&self.hub))
    }

    /// Lets clients know what was said about the interface, and whether it is listened on.
    pub fn tap(&self, listening: bool, said: String) {
        let message = stream::tap(listening, &said);
        self.hub.tap(listening, said);
        self.hub.send(Kind::Passing, message);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.hub.end(&stream::BYE);
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that could be told to anybody.
            let _ = thread.join();
        }
    }
}

/// Serves until the sender of `stopped` is gone.
async fn serve(bound: Bound, hub: Arc<Hub>, stopped: oneshot::Receiver<()>) {
    let places = Places::default();
    let mut accepting = Vec::new();
    for (listener, _, face) in bound.listeners {
        let accept = connection::accept(listener, face, Arc::clone(&hub), places.clone());
        accepting.push(tokio::spawn(accept));
    }
    let _ = stopped.await;
    for accept in &accepting {
        accept.abort();
    }
    // Streams have got their end; what does not end in time is cut off with the runtime.
    let _ = timeout(FAREWELL, places.all_free()).await;
}
