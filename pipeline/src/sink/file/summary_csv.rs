//! Summaries as CSV: the fields of `resetscope.summary/1`, objects flattened with dots. What has no
//! fixed set of names, `resets.by_subcause` and `top`, is one column of JSON each.

use std::io;

use resetscope_core::interval::histogram::Metric;
use resetscope_core::interval::{Flows, Shed};
use resetscope_core::judge::cause::Cause;
use resetscope_core::judge::facts::Stage;
use resetscope_core::skip::Skip;

use super::News;
use super::csv::Row;
use super::encode::Encode;
use crate::collect::Summary;
use crate::sink::summary::{by_subcause_text, histogram, top_text};

pub(super) struct SummaryCsv {
    pub(super) top: usize,
    pub(super) news: News,
}

/// Columns that are numbers, and their values.
fn numbers(summary: &Summary, unwritten: u64) -> Vec<(String, u64)> {
    let mut columns = Vec::new();
    let mut add = |name: &str, value: u64| columns.push((name.to_owned(), value));
    let (span, interval) = (summary.span, &summary.interval);
    let (frames, flows, resets) = (&interval.frames, &interval.flows, &interval.resets);
    add("interval.seq", span.seq);
    add("interval.start_ns", span.start_ns);
    add("interval.end_ns", span.end_ns);
    add("frames.received", frames.received);
    add("frames.bytes", frames.bytes);
    add("frames.analysed", frames.analysed);
    for (reason, count) in Skip::ALL.iter().zip(frames.skipped) {
        add(&format!("frames.skipped.{}", reason.name()), count);
    }
    for (reason, count) in Shed::ALL.iter().zip(frames.shed) {
        add(&format!("frames.shed.{}", reason.name()), count);
    }
    add("flows.opened", flows.opened);
    add("flows.active", flows.active);
    for ((_, class), count) in Flows::EVICTED.iter().zip(flows.evicted) {
        add(&format!("flows.evicted.{class}"), count);
    }
    add("resets.packets", resets.packets);
    add("resets.events", resets.events);
    add("resets.unlisted", resets.unlisted);
    for (cause, count) in Cause::ALL.iter().zip(resets.by_cause) {
        add(&format!("resets.by_cause.{}", cause.name()), count);
    }
    for (stage, count) in Stage::ALL.iter().zip(resets.by_stage) {
        add(&format!("resets.by_stage.{}", stage.name()), count);
    }
    for &metric in Metric::ALL {
        let name = format!("histograms.{}_{}", metric.name(), metric.unit());
        for (part, value) in histogram(summary, metric) {
            add(&format!("{name}.{part}"), value);
        }
    }
    add("unwritten", unwritten);
    columns
}

impl Encode<Summary> for SummaryCsv {
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut row = Row::new(out);
        for (name, _) in numbers(&Summary::default(), 0) {
            row.text(&name);
        }
        row.text("resets.by_subcause").text("top");
        row.end();
        Ok(())
    }

    fn record(&mut self, summary: &Summary, out: &mut Vec<u8>) -> io::Result<()> {
        let mut row = Row::new(out);
        for (_, value) in numbers(summary, self.news.take()) {
            row.plain(value)?;
        }
        row.text(&by_subcause_text(summary)?).text(&top_text(summary, self.top)?);
        row.end();
        Ok(())
    }
}
