//! Packets of interfaces that no block before them describes: without a link type and a clock nothing
//! in them can be read. They come as frames of no known link type, so that the ledger counts them as
//! skipped, at the time of the packet before them.

/// A link type that the registry of the pcap formats does not have.
pub(in crate::source) const LINK: u16 = u16::MAX;

/// Those that came.
#[derive(Debug, Default)]
pub(in crate::source) struct Undescribed {
    packets: u64,
    first: Option<First>,
}

/// The first of them.
#[derive(Debug)]
struct First {
    interface: u32,
    /// Interfaces described before it.
    described: usize,
    place: Place,
}

/// Where a block begins.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In bytes from where the last walk began.
    InWalk(usize),
    /// In bytes of the stream.
    InStream(u64),
}

impl Undescribed {
    /// Notes a packet whose block begins so many bytes behind the beginning of the walk.
    #[cold]
    pub(super) fn skip(&mut self, interface: u32, described: usize, at: usize) {
        self.packets += 1;
        let place = Place::InWalk(at);
        self.first.get_or_insert(First { interface, described, place });
    }

    /// The last walk began at `offset` of the stream.
    #[inline]
    pub(in crate::source) const fn place(&mut self, offset: u64) {
        if let Some(First { place, .. }) = &mut self.first
            && let Place::InWalk(at) = *place
        {
            *place = Place::InStream(offset.wrapping_add(at as u64));
        }
    }

    /// The place of the first one in bytes of the stream, and what is wrong with all of them.
    pub(in crate::source) fn take(&mut self) -> Option<(u64, String)> {
        let First { interface, described, place } = self.first.take()?;
        let Place::InStream(offset) = place else { return None };
        let what = format!(
            "a packet names interface {interface}, and {described} are described before it"
        );
        let what = match self.packets {
            1 => format!("{what}; it is skipped"),
            packets => format!("{what}; {packets} packets like that are skipped"),
        };
        Some((offset, what))
    }
}
