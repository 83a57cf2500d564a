//! What responses are made of: a piece of text, or a stream that goes on.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::stream::KEEP_ALIVE;

/// Time after which a stream says something even if there is nothing to say.
const KEEP_ALIVE_PERIOD: Duration = Duration::from_secs(10);

/// The body of a response.
pub(super) enum Body {
    /// All of it, until it has been taken.
    Whole(Option<Bytes>),
    /// First this, then whatever comes.
    Stream(Box<Feed>),
}

/// A stream with its pulse.
pub(super) struct Feed {
    begin: Option<Bytes>,
    next: Receiver<Bytes>,
    pulse: Interval,
}

impl Body {
    /// A body that begins with `begin` and goes on with what comes.
    pub(super) fn stream(begin: Bytes, next: Receiver<Bytes>) -> Self {
        let mut pulse = interval(KEEP_ALIVE_PERIOD);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Stream(Box::new(Feed { begin: Some(begin), next, pulse }))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = |bytes| Some(Ok(Frame::data(bytes)));
        match &mut *self {
            Self::Whole(whole) => Poll::Ready(whole.take().and_then(frame)),
            Self::Stream(feed) => {
                if let Some(begin) = feed.begin.take() {
                    return Poll::Ready(frame(begin));
                }
                if let Poll::Ready(next) = feed.next.poll_recv(context) {
                    return Poll::Ready(next.and_then(frame));
                }
                feed.pulse.poll_tick(context).map(|_| frame(KEEP_ALIVE))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => SizeHint::with_exact(whole.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
