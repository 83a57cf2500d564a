//! A tap's results on a terminal, redrawn in place.
//!
//! The collector feeds [`model`]; a thread of its own draws it ([`view`]), reads keys and hears of
//! new sizes (`screen`). Whatever ends the program, the terminal is as it was before.

pub mod model;
mod rescue;
mod screen;
pub mod view;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};
use crate::live::Signals;
use crate::sink::palette::Palette;
use model::Model;
use screen::Screen;

pub(crate) use rescue::on_signals as give_back_on_signals;

/// A dashboard that is on the screen.
pub struct Dashboard {
    model: Arc<Mutex<Model>>,
    screen: Screen,
}

impl Dashboard {
    /// Takes the screen. Keys stop the tap or begin a new interval through `signals`; `remark` gives
    /// the last thing that was said.
    ///
    /// # Errors
    /// When the terminal cannot be set up.
    pub fn start(
        model: Model,
        palette: Palette,
        signals: &Signals,
        remark: impl Fn() -> Option<String> + Send + 'static,
    ) -> io::Result<Self> {
        let model = Arc::new(Mutex::new(model));
        let screen = Screen::start(Arc::clone(&model), palette, signals.clone(), Box::new(remark))?;
        Ok(Self { model, screen })
    }

    /// What feeds it.
    #[must_use]
    pub fn sink(&self) -> Feed {
        Feed(Arc::clone(&self.model))
    }

    /// Gives the screen back.
    pub fn end(self) {
        self.screen.end();
    }
}

/// The sink of a dashboard.
pub struct Feed(Arc<Mutex<Model>>);

impl Sink for Feed {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).event(event);
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).summary(summary, Instant::now());
        Ok(())
    }
}
