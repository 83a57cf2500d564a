//! Summaries as JSON, one a line: schema `resetscope.summary/1`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use hdrhistogram::Histogram;
use resetscope_core::interval::histogram::Metric;
use resetscope_core::interval::{Flows, Shed};
use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::judge::facts::Stage;
use resetscope_core::skip::Skip;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::collect::Summary;
use crate::collect::top::Tally;

/// The schema's name and version.
pub const SCHEMA: &str = "resetscope.summary/1";

/// Counts under their names, in a fixed order.
struct Counts(Vec<(&'static str, u64)>);

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, count) in &self.0 {
            map.serialize_entry(name, count)?;
        }
        map.end()
    }
}

fn counts<T: Copy>(names: &[T], values: &[u64], name: impl Fn(T) -> &'static str) -> Counts {
    Counts(names.iter().zip(values).map(|(&key, &count)| (name(key), count)).collect())
}

#[derive(Serialize)]
struct Line {
    schema: &'static str,
    interval: IntervalPart,
    frames: FramesPart,
    flows: FlowsPart,
    resets: ResetsPart,
    histograms: BTreeMap<&'static str, HistogramPart>,
    top: TopPart,
    #[serde(skip_serializing_if = "is_zero")]
    unwritten: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct IntervalPart {
    seq: u64,
    start_ns: u64,
    end_ns: u64,
}

#[derive(Serialize)]
struct FramesPart {
    received: u64,
    bytes: u64,
    analysed: u64,
    skipped: Counts,
    shed: Counts,
}

#[derive(Serialize)]
struct FlowsPart {
    opened: u64,
    active: u64,
    evicted: Counts,
}

#[derive(Serialize)]
struct ResetsPart {
    packets: u64,
    events: u64,
    unlisted: u64,
    by_cause: Counts,
    by_subcause: Counts,
    by_stage: Counts,
}

#[derive(Serialize)]
struct HistogramPart {
    unit: &'static str,
    count: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

#[derive(Serialize)]
struct TopPart {
    services: Vec<ServicePart>,
    hosts: Vec<HostPart>,
}

#[derive(Serialize)]
struct ServicePart {
    addr: IpAddr,
    port: u16,
    #[serde(flatten)]
    tally: TallyPart,
}

#[derive(Serialize)]
struct HostPart {
    addr: IpAddr,
    #[serde(flatten)]
    tally: TallyPart,
}

#[derive(Serialize)]
struct TallyPart {
    events: u64,
    packets: u64,
    by_cause: Counts,
}

impl From<&Tally> for TallyPart {
    fn from(tally: &Tally) -> Self {
        let mut by_cause = counts(&Cause::ALL, &tally.by_cause, Cause::name);
        by_cause.0.retain(|(_, count)| *count > 0);
        Self { events: tally.events, packets: tally.packets, by_cause }
    }
}

impl HistogramPart {
    fn of(summary: &Summary, metric: Metric) -> Self {
        let histogram = summary.interval.histograms.get(metric);
        let at = |quantile| histogram.map_or(0, |histogram| histogram.value_at_quantile(quantile));
        Self {
            unit: metric.unit(),
            count: histogram.map_or(0, Histogram::len),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.map_or(0, Histogram::max),
        }
    }
}

/// The numbers of one distribution by name.
pub(super) fn histogram(summary: &Summary, metric: Metric) -> [(&'static str, u64); 6] {
    let HistogramPart { unit: _, count, p50, p90, p99, p999, max } =
        HistogramPart::of(summary, metric);
    [("count", count), ("p50", p50), ("p90", p90), ("p99", p99), ("p999", p999), ("max", max)]
}

fn histograms(summary: &Summary) -> BTreeMap<&'static str, HistogramPart> {
    let part = |&metric: &Metric| (metric.name(), HistogramPart::of(summary, metric));
    Metric::ALL.iter().map(part).collect()
}

/// The list `top` of a summary as text.
pub(super) fn top_text(summary: &Summary, top: usize) -> io::Result<String> {
    Ok(serde_json::to_string(&top_part(summary, top))?)
}

fn top_part(summary: &Summary, top: usize) -> TopPart {
    let services = summary.top.services(top).into_iter();
    let hosts = summary.top.hosts(top).into_iter();
    TopPart {
        services: services
            .map(|((addr, port), tally)| ServicePart { addr, port, tally: tally.into() })
            .collect(),
        hosts: hosts.map(|(addr, tally)| HostPart { addr, tally: tally.into() }).collect(),
    }
}

/// The sub-causes of a summary that occur, with their counts.
fn by_subcause(summary: &Summary) -> Counts {
    let mut counts = counts(Subcause::ALL, &summary.interval.resets.by_subcause, Subcause::id);
    counts.0.retain(|(_, count)| *count > 0);
    counts
}

/// The object `resets.by_subcause` of a summary as text.
pub(super) fn by_subcause_text(summary: &Summary) -> io::Result<String> {
    Ok(serde_json::to_string(&by_subcause(summary))?)
}

/// Writes a summary as one line, with the `top` services and hosts.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn Write, summary: &Summary, top: usize) -> io::Result<()> {
    write_with(out, summary, top, 0)
}

/// The same, with the number of records that could not be written to files since the summary before.
pub(super) fn write_with(
    out: &mut dyn Write,
    summary: &Summary,
    top: usize,
    unwritten: u64,
) -> io::Result<()> {
    let interval = &summary.interval;
    let (frames, resets) = (&interval.frames, &interval.resets);
    let evicted = Flows::EVICTED.map(|(_, name)| name);
    let line = Line {
        schema: SCHEMA,
        interval: IntervalPart {
            seq: summary.span.seq,
            start_ns: summary.span.start_ns,
            end_ns: summary.span.end_ns,
        },
        frames: FramesPart {
            received: frames.received,
            bytes: frames.bytes,
            analysed: frames.analysed,
            skipped: counts(&Skip::ALL, &frames.skipped, Skip::name),
            shed: counts(&Shed::ALL, &frames.shed, Shed::name),
        },
        flows: FlowsPart {
            opened: interval.flows.opened,
            active: interval.flows.active,
            evicted: counts(&evicted, &interval.flows.evicted, |name| name),
        },
        resets: ResetsPart {
            packets: resets.packets,
            events: resets.events,
            unlisted: resets.unlisted,
            by_cause: counts(&Cause::ALL, &resets.by_cause, Cause::name),
            by_subcause: by_subcause(summary),
            by_stage: counts(&Stage::ALL, &resets.by_stage, Stage::name),
        },
        histograms: histograms(summary),
        top: top_part(summary, top),
        unwritten,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
