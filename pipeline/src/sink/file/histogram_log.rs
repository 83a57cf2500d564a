//! Distributions as a log of HdrHistograms, format V2: what HistogramLogAnalyzer, HistogramLogProcessor
//! and the HdrHistogram libraries of many languages read
//! (<https://github.com/HdrHistogram/HdrHistogram>).
//!
//! One line for each interval and distribution, tagged with its name; times are seconds since
//! 1970-01-01 UTC. An interval without values has its lines all the same.

use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use resetscope_core::interval::histogram::{Histograms, Metric};

use super::encode::Encode;
use crate::collect::Summary;

#[derive(Default)]
pub(super) struct HistogramLog {
    serializer: V2DeflateSerializer,
    empty: Option<Histogram<u64>>,
}

impl Encode<Summary> for HistogramLog {
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        writeln!(out, "#[Histogram log format version 1.3]")?;
        writeln!(out, "#[resetscope: one line for each interval and tag; the tags' units follow]")?;
        for metric in Metric::ALL {
            writeln!(out, "#[{}: {}]", metric.name(), metric.unit())?;
        }
        writeln!(
            out,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\
             \"Interval_Compressed_Histogram\""
        )
    }

    fn record(&mut self, summary: &Summary, out: &mut Vec<u8>) -> io::Result<()> {
        let span = summary.span;
        let start = Duration::from_nanos(span.start_ns);
        let length = Duration::from_nanos(span.end_ns.saturating_sub(span.start_ns));
        let empty = match &mut self.empty {
            Some(empty) => empty,
            None => self.empty.insert(Histograms::empty().map_err(io::Error::other)?),
        };
        let mut log = IntervalLogWriterBuilder::new().begin_log_with(out, &mut self.serializer)?;
        for &metric in Metric::ALL {
            let histogram = summary.interval.histograms.get(metric).unwrap_or(empty);
            log.write_histogram(histogram, start, length, Tag::new(metric.name()))
                .map_err(|error| io::Error::other(error.to_string()))?;
        }
        Ok(())
    }
}
