//! Events as CSV: one row each, with the columns that [`COLUMNS`] names.

use std::io;

use resetscope_core::judge::event::Event;
use resetscope_core::judge::note::Note;

use super::csv::Row;
use super::encode::Encode;
use crate::sink::community_id::community_id;
use crate::sink::event::{alternatives_text, confidence, evidence_text};

/// The columns, in CSV and in Parquet. `evidence` and `alternatives` are JSON as in
/// `resetscope.event/1`: which facts there are differs from event to event, and new versions add some.
pub(super) const COLUMNS: [&str; 18] = [
    "time_ns",
    "frame",
    "src",
    "sport",
    "dst",
    "dport",
    "packets",
    "cause",
    "subcause_id",
    "subcause",
    "confidence",
    "stage",
    "conn_state",
    "history",
    "community_id",
    "note",
    "evidence",
    "alternatives",
];

pub(super) struct EventCsv;

impl Encode<Event> for EventCsv {
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut row = Row::new(out);
        for name in COLUMNS {
            row.text(name);
        }
        row.end();
        Ok(())
    }

    fn record(&mut self, event: &Event, out: &mut Vec<u8>) -> io::Result<()> {
        let (from, to) = (event.side, event.side ^ 1);
        let claim = event.verdict.claim;
        let mut row = Row::new(out);
        row.plain(event.time_ns)?.plain(event.frame)?;
        row.plain(event.key.ip(from))?.plain(event.key.port(from))?;
        row.plain(event.key.ip(to))?.plain(event.key.port(to))?;
        row.plain(event.packets)?;
        row.text(claim.subcause.cause().name()).text(claim.subcause.id());
        row.text(claim.subcause.name()).plain(confidence(claim))?;
        row.text(event.stage.name()).text(event.conn_state.name()).text(event.history.as_str());
        row.text(&community_id(&event.key)).text(&Note(event).to_string());
        row.text(&evidence_text(event)?).text(&alternatives_text(event)?);
        row.end();
        Ok(())
    }
}
