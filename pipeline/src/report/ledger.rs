//! Where every frame went.

use resetscope_core::interval::Shed;
use resetscope_core::skip::Skip;

use super::gathered::Gathered;
use super::words::count;
use crate::sink::table::share;

/// One bucket of the ledger.
pub(super) struct Bucket {
    /// What became of the frames.
    pub(super) name: String,
    /// The name in JSON, where there is one.
    pub(super) field: &'static str,
    /// Frames.
    pub(super) count: String,
    /// Of all frames.
    pub(super) share: String,
}

/// Every bucket that holds frames, those that were analysed first.
pub(super) fn buckets(gathered: &Gathered) -> Vec<Bucket> {
    let frames = &gathered.sums.frames;
    let skipped = Skip::ALL.into_iter().zip(frames.skipped);
    let skipped = skipped.map(|(skip, n)| (format!("skipped: {}", why(skip)), skip.name(), n));
    let shed = Shed::ALL.into_iter().zip(frames.shed);
    let shed = shed.map(|(shed, n)| (format!("shed: {}", overload(shed)), shed.name(), n));
    std::iter::once(("analysed".to_owned(), "analysed", frames.analysed))
        .chain(skipped.chain(shed).filter(|(_, _, frames)| *frames > 0))
        .map(|(name, field, number)| Bucket {
            name,
            field,
            count: count(number),
            share: share(number, frames.received),
        })
        .collect()
}

const fn why(skip: Skip) -> &'static str {
    match skip {
        Skip::LinkType => "the link type is not read",
        Skip::NotIp => "neither IPv4 nor IPv6",
        Skip::NotTcp => "neither TCP nor a tunnel to it",
        Skip::Fragment => "a fragment without TCP header",
        Skip::Truncated => "cut before the end of its TCP header",
        Skip::BadIp => "headers below TCP contradict themselves",
        Skip::BadTcp => "the TCP header contradicts itself",
        Skip::TooDeep => "too many nested headers",
    }
}

const fn overload(shed: Shed) -> &'static str {
    match shed {
        Shed::TableFull => "the flow table was full",
        Shed::KernelDrop => "lost before it could be captured",
        Shed::NicDrop => "dropped by the network device",
        Shed::NicError => "broken on the wire",
        Shed::NoBuffer => "no buffer was free",
    }
}
