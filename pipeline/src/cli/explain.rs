//! `resetscope explain`: the story of one reset, or the list to pick one from.

use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::{Context, Result, bail};
use resetscope_core::engine::Config;

use crate::explain::choose::Target;
use crate::explain::list::List;
use crate::explain::{ExplainError, Request, json, text};
use crate::run::{Plan, run};
use crate::sink::mask::{Mask, behind};
use crate::sink::until_closed::{UntilClosed, unless_closed};
use crate::source::{Options, Progress};

use super::args::{Explain, Telling};
use super::exit::Outcome;
use super::log::Log;
use super::{privacy, progress};

/// Runs `explain`.
pub(super) fn explain(args: &Explain, log: &Log) -> Result<Outcome> {
    log.quiet(args.quiet);
    let mask = privacy::mask(args.privacy.privacy.as_deref())?;
    let request = request(args, mask.as_ref());
    let source = request.source()?;
    let bar = progress::bar(source.progress(), args.quiet);
    let watch = |progress: Progress| bar.set_position(progress.consumed);
    let mut out = progress::beside(&bar, io::stdout());
    let target = args.frame.map(Target::Frame).or(args.flow.map(Target::Flow));
    let json = args.format == Telling::Json;
    let findings = match target {
        None => {
            let stop = Arc::new(AtomicBool::new(false));
            let mut list = List::new(&mut out, json);
            let seen = UntilClosed::new(&mut list, Arc::default(), Some(Arc::clone(&stop)));
            let findings = run(&request.plan, source, &mut behind(mask, seen), &stop, &watch)?;
            unless_closed(list.end()).context("cannot write the list")?;
            findings
        }
        Some(target) => {
            drop(source);
            let mut story = match request.tell(&target, &watch) {
                Err(ExplainError::NoReset { .. }) if mask.is_some() => {
                    bail!("no reset was found on that flow")
                }
                told => told?,
            };
            if let Some(mask) = &mask {
                story.event = mask.event(&story.event);
            }
            let tell = if json { json::write } else { text::write };
            unless_closed(tell(&mut out, &story)).context("cannot write the story")?;
            story.findings
        }
    };
    bar.finish_and_clear();
    unless_closed(out.flush()).context("cannot write the results")?;
    Ok(Outcome::of(&findings))
}

fn request<'a>(args: &'a Explain, mask: Option<&'a Mask>) -> Request<'a> {
    Request {
        files: &args.files,
        options: Options { mmap: !args.no_mmap, ..Options::default() },
        plan: Plan {
            workers: thread::available_parallelism().map_or(1, NonZero::get),
            interval_ns: None,
            engine: Config {
                flows: usize::try_from(args.flows).unwrap_or(usize::MAX),
                ..Config::default()
            },
        },
        packets: usize::from(args.packets),
        mask,
    }
}
