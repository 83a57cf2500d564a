//! What the program says beside its results: one line on stderr for each remark, with a level.
//!
//! As text a line is `resetscope: ` and a sentence. Where stderr is the journal's, the line begins
//! with its syslog priority (sd-daemon(3)), so that `journalctl -p warning` finds it.

mod writer;

use std::fmt::{self, Write as _};

use clap::{Args, ValueEnum};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, warn};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt as format, reload};

pub(super) use writer::Lines;
use writer::is_journal;

/// The environment variable with the level, where the command line has none.
const VARIABLE: &str = "RESETSCOPE_LOG";

/// Arguments about remarks.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Remarks on stderr")]
pub struct LogArgs {
    /// Least weight of the remarks that are printed [default: info; with --quiet warn; or what
    /// the environment variable RESETSCOPE_LOG says].
    #[arg(long, value_enum, value_name = "LEVEL", global = true)]
    pub log_level: Option<LogLevel>,

    /// How remarks are printed.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

/// How much a remark weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What keeps results from being complete.
    Error,
    /// What should not be.
    Warn,
    /// What is going on.
    Info,
    /// What the program works with: memory, threads, rings.
    Debug,
    /// Also what happens all the time.
    Trace,
}

/// How remarks are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A sentence.
    Text,
    /// One JSON object a line.
    Json,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// The remarks of this process.
pub(super) struct Log {
    /// The level was given on the command line, which wins over everything.
    given: bool,
    level: reload::Handle<LevelFilter, Registry>,
    lines: Lines,
}

impl Log {
    /// Starts to print remarks.
    pub(super) fn start(args: LogArgs) -> Self {
        let variable = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
        let named = variable.as_deref().map(|text| LogLevel::from_str(text, true));
        let level = args.log_level.or(named.clone().and_then(Result::ok)).unwrap_or(LogLevel::Info);
        let (filter, handle) = reload::Layer::new(LevelFilter::from(level));
        let lines = Lines::default();
        let layer = format::layer().with_writer(lines.clone());
        let layer = match args.log_format {
            LogFormat::Text => layer.event_format(Text { journal: is_journal() }).boxed(),
            LogFormat::Json => layer.json().flatten_event(true).with_target(false).boxed(),
        };
        // A second start in one process keeps to the first: then that was asked for.
        // Libraries have remarks of their own, which are none of a user's business.
        let ours = filter_fn(|about| about.target().starts_with("resetscope"));
        let layer = layer.with_filter(filter).with_filter(ours);
        let _ = tracing_subscriber::registry().with(layer).try_init();
        if let (Some(variable), Some(Err(_))) = (&variable, &named) {
            warn!("{VARIABLE} is {variable:?}, which is none of error, warn, info, debug, trace");
        }
        Self { given: args.log_level.is_some(), level: handle, lines }
    }

    /// Keeps remarks below warnings away, if `quiet` and unless the command line gave a level. What
    /// the environment keeps away stays away.
    pub(super) fn quiet(&self, quiet: bool) {
        if quiet && !self.given {
            // Nobody to tell: without a subscriber there are no remarks.
            let _ = self.level.modify(|level| *level = (*level).min(LevelFilter::WARN));
        }
    }

    /// Where the lines go.
    pub(super) const fn lines(&self) -> &Lines {
        &self.lines
    }
}

/// `resetscope: sentence`, with `name=value` for what comes with it.
struct Text {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (priority, mark) = match *event.metadata().level() {
            Level::ERROR => (3, ""),
            Level::WARN => (4, ""),
            Level::INFO => (6, ""),
            Level::DEBUG => (7, "debug: "),
            Level::TRACE => (7, "trace: "),
        };
        let mut sentence = Sentence::default();
        event.record(&mut sentence);
        if self.journal {
            write!(out, "<{priority}>")?;
        }
        writeln!(out, "resetscope: {mark}{}{}", sentence.message, sentence.fields)
    }
}

#[derive(Default)]
struct Sentence {
    message: String,
    fields: String,
}

impl Visit for Sentence {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
