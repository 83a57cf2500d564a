//! Metrics as OpenMetrics text, version 1.0.0.
//!
//! Counters are those of whole intervals: they move when one ends. All series of a counter are there
//! from the start, zeros included, so that a rate sees its first step; only services come and go.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use resetscope_core::interval::histogram::Metric;
use resetscope_core::interval::{Flows, Shed};
use resetscope_core::judge::cause::{Cause, Subcause};
use resetscope_core::judge::facts::Stage;
use resetscope_core::skip::Skip;

use super::buckets::{Buckets, bounds};
use super::totals::Snapshot;

/// What every metric's name begins with.
pub const PREFIX: &str = "resetscope";

/// Everything that a scrape tells.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// The sums so far.
    pub sums: Arc<Snapshot>,
    /// The interface.
    pub interface: String,
    /// Whether it is listened on.
    pub listening: bool,
    /// Connections that can be remembered at once.
    pub flows_max: u64,
    /// Services that are named, at most.
    pub services_max: usize,
    /// Time since the start.
    pub uptime: Duration,
    /// Pages that are being fed.
    pub pages: usize,
    /// Pages that were let go because they read too slowly.
    pub pages_dropped: u64,
}

/// The text.
#[must_use]
pub fn text(scrape: &Scrape) -> String {
    let mut out = String::with_capacity(32 << 10);
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(scrape.clone()));
    // Writing to a string cannot fail.
    let _ = text::encode(&mut out, &registry);
    out
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.run(&mut page)?;
        self.frames(&mut page)?;
        self.flows(&mut page)?;
        self.resets(&mut page)?;
        for buckets in &self.sums.histograms {
            page.histogram(buckets)?;
        }
        Ok(())
    }
}

impl Scrape {
    fn run(&self, page: &mut Page<'_>) -> fmt::Result {
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("interface", &self.interface)];
        page.describe(
            "build",
            "Version, and the interface that is tapped.",
            None,
            MetricType::Info,
        )?
        .encode_info(&labels)?;
        page.gauge(
            "uptime",
            "Time since the start.",
            Some(&Unit::Seconds),
            &self.uptime.as_secs_f64(),
        )?;
        let help = "1 while the interface is listened on, 0 while it is down or away.";
        page.gauge("tap_listening", help, None, &u64::from(self.listening))?;
        page.counter("intervals", "Intervals that have ended.", None, self.sums.intervals)?;
        let help = "End of the last interval, by the wall clock since 1970-01-01 UTC; 0 before it.";
        let end = self.sums.end_ns as f64 / 1e9;
        page.gauge("last_interval_end_timestamp", help, Some(&Unit::Seconds), &end)?;
        page.gauge("live_pages", "Live pages that are being fed.", None, &self.pages)?;
        let help = "Live pages let go because they read too slowly.";
        page.counter("live_pages_dropped", help, None, self.pages_dropped)
    }

    fn frames(&self, page: &mut Page<'_>) -> fmt::Result {
        let frames = &self.sums.frames;
        let help = "Frames received: the sum of resetscope_frames_total.";
        page.counter("frames_received", help, None, frames.received)?;
        let help = "Bytes that the received frames had on the wire.";
        page.counter("received", help, Some(&Unit::Bytes), frames.bytes)?;
        let help = "Frames by what became of them: analysed, skipped, or shed by overload, the last \
                    two by reason.";
        let analysed = ([("bucket", "analysed"), ("reason", "")], frames.analysed);
        let skipped = Skip::ALL.iter().zip(frames.skipped);
        let shed = Shed::ALL.iter().zip(frames.shed);
        let rows = std::iter::once(analysed)
            .chain(skipped.map(|(of, n)| ([("bucket", "skipped"), ("reason", of.name())], n)))
            .chain(shed.map(|(of, n)| ([("bucket", "shed"), ("reason", of.name())], n)));
        page.counters("frames", help, rows)
    }

    fn flows(&self, page: &mut Page<'_>) -> fmt::Result {
        let flows = &self.sums.flows;
        page.counter("flows_opened", "Connections first seen.", None, flows.opened)?;
        let help = "Connections remembered at the end of the last interval.";
        page.gauge("flows", help, None, &flows.active)?;
        page.gauge(
            "flows_max",
            "Connections that can be remembered at once.",
            None,
            &self.flows_max,
        )?;
        let load = flows.active as f64 / self.flows_max.max(1) as f64;
        let help = "Share of the flow table in use, from 0 to 1.";
        page.gauge("flow_table_load", help, Some(&Unit::Other("ratio".to_owned())), &load)?;
        let help = "Connections that had to give way to others while still remembered.";
        let rows = Flows::EVICTED.iter().zip(flows.evicted);
        page.counters("flows_evicted", help, rows.map(|((_, name), n)| ([("class", *name)], n)))
    }

    fn resets(&self, page: &mut Page<'_>) -> fmt::Result {
        let resets = &self.sums.resets;
        page.counter("rst_packets", "RST packets analysed.", None, resets.packets)?;
        let help = "Resets judged; several RST packets of one death are one reset.";
        let labels = |of: &Subcause| {
            [("cause", of.cause().name()), ("subcause", of.name()), ("id", of.id())]
        };
        let rows = Subcause::ALL.iter().zip(resets.by_subcause);
        page.counters("resets", help, rows.map(|(of, n)| (labels(of), n)))?;
        let help = "The same resets by the stage of the connection.";
        let rows = Stage::ALL.iter().zip(resets.by_stage);
        page.counters("resets_by_stage", help, rows.map(|(of, n)| ([("stage", of.name())], n)))?;
        let help = "Resets whose details were dropped because too many fell due at once.";
        page.counter("resets_unlisted", help, None, resets.unlisted)?;
        let help = format!(
            "Resets of the up to {} services with the most since the start, by cause. A service \
             that others overtake is not told any more.",
            self.services_max
        );
        let mut rows = Vec::new();
        for (service, counts) in &self.sums.services {
            let service = service.to_string();
            let counts = Cause::ALL.iter().zip(counts).filter(|(_, n)| **n > 0);
            rows.extend(counts.map(|(of, n)| ((service.clone(), of.name()), *n)));
        }
        let rows = rows
            .iter()
            .map(|((service, cause), n)| ([("service", service.as_str()), ("cause", *cause)], *n));
        page.counters("service_resets", &help, rows)
    }
}

/// The text as it is written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn describe<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        unit: Option<&'s Unit>,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    fn counter(&mut self, name: &str, help: &str, unit: Option<&Unit>, count: u64) -> fmt::Result {
        self.describe(name, help, unit, MetricType::Counter)?
            .encode_counter::<NoLabelSet, u64, f64>(&count, None)
    }

    fn counters<S: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl Iterator<Item = (S, u64)>,
    ) -> fmt::Result {
        let mut family = self.describe(name, help, None, MetricType::Counter)?;
        for (labels, count) in rows {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
        }
        Ok(())
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: &impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.describe(name, help, unit, MetricType::Gauge)?.encode_gauge(value)
    }

    fn histogram(&mut self, buckets: &Buckets) -> fmt::Result {
        let metric = buckets.metric();
        let (name, help) = named(metric);
        // Prometheus counts in base units.
        let (unit, per_unit) = match metric.unit() {
            "us" => (Some(&Unit::Seconds), 1e6),
            "ms" => (Some(&Unit::Seconds), 1e3),
            "bytes" => (Some(&Unit::Bytes), 1.0),
            _ => (None, 1.0),
        };
        let upper = bounds(metric).iter().map(|&bound| bound as f64 / per_unit);
        let upper = upper.chain([f64::INFINITY]);
        let counts: Vec<(f64, u64)> = upper.zip(buckets.counts().iter().copied()).collect();
        self.describe(name, help, unit, MetricType::Histogram)?.encode_histogram::<NoLabelSet>(
            buckets.sum() / per_unit,
            buckets.count(),
            &counts,
            None,
        )
    }
}

/// Name without unit, and what it means.
const fn named(metric: Metric) -> (&'static str, &'static str) {
    match metric {
        Metric::RstLatency => ("rst_latency", "Time from the peer's last packet to the RST."),
        Metric::ConnectionAge => {
            ("connection_age", "Time from the first packet of the connection to the RST.")
        }
        Metric::IdleBeforeReset => {
            ("idle_before_reset", "Silence before the RST, or before the packet that triggered it.")
        }
        Metric::BytesAtReset => {
            ("payload_at_reset", "Payload bytes of both directions before the RST.")
        }
        Metric::HandshakeRtt => (
            "handshake_rtt",
            "Time from SYN to the acknowledgement of the SYN-ACK, of all connections.",
        ),
        Metric::RetransmissionsBefore => (
            "retransmissions_before_reset",
            "Unanswered retransmissions by the side that then reset.",
        ),
        Metric::PacketsPerEvent => ("rst_packets_per_reset", "RST packets of one reset."),
    }
}
