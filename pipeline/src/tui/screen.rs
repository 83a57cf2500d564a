//! The terminal while a dashboard has it: drawn several times a second, given back at the end, also
//! after a panic.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;

use super::model::Model;
use super::rescue;
use super::view::{Look, draw};
use crate::live::Signals;
use crate::sink::palette::Palette;

/// Time between two drawings, if no key is pressed meanwhile.
const PERIOD: Duration = Duration::from_millis(200);

/// Gives the last thing that was said.
pub(super) type Remark = Box<dyn Fn() -> Option<String> + Send>;

/// A screen that is being drawn.
pub(super) struct Screen {
    over: Arc<AtomicBool>,
    drawer: Option<JoinHandle<()>>,
}

impl Screen {
    pub(super) fn start(
        model: Arc<Mutex<Model>>,
        palette: Palette,
        signals: Signals,
        remark: Remark,
    ) -> io::Result<Self> {
        rescue::taken();
        let terminal = ratatui::try_init().inspect_err(|_| rescue::given_back())?;
        let over = Arc::new(AtomicBool::new(false));
        let drawer = Drawer { model, palette, signals, remark, over: Arc::clone(&over) };
        let started = thread::Builder::new()
            .name("dashboard".to_owned())
            .spawn(move || drawer.run(terminal))
            .inspect_err(|_| restore());
        Ok(Self { over, drawer: Some(started?) })
    }

    pub(super) fn end(mut self) {
        self.give_back();
    }

    fn give_back(&mut self) {
        let Some(drawer) = self.drawer.take() else { return };
        self.over.store(true, Ordering::Relaxed);
        // If it panicked, the terminal has been given back by then.
        let _ = drawer.join();
        restore();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn restore() {
    ratatui::restore();
    rescue::given_back();
}

struct Drawer {
    model: Arc<Mutex<Model>>,
    palette: Palette,
    signals: Signals,
    remark: Remark,
    over: Arc<AtomicBool>,
}

impl Drawer {
    /// Draws until it is over. A terminal that has gone away stops the tap, as the end of a reader
    /// does.
    fn run(&self, mut terminal: DefaultTerminal) {
        while !self.over.load(Ordering::Relaxed) {
            if self.draw(&mut terminal).and_then(|()| self.keys()).is_err() {
                self.signals.stop.store(true, Ordering::Relaxed);
                return;
            }
        }
    }

    fn draw(&self, terminal: &mut DefaultTerminal) -> io::Result<()> {
        let remark = (self.remark)();
        let look = Look { palette: self.palette, remark: remark.as_deref() };
        let model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        // A new size is noticed here.
        terminal.draw(|frame| draw(frame, &model, Instant::now(), look)).map(|_| ())
    }

    /// Obeys what is pressed until it is time to draw again.
    fn keys(&self) -> io::Result<()> {
        if !event::poll(PERIOD)? {
            return Ok(());
        }
        if let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            self.key(key);
        }
        Ok(())
    }

    fn key(&self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => self.signals.stop.store(true, Ordering::Relaxed),
            KeyCode::Char('c') if control => self.interrupt(),
            KeyCode::Char('n') => self.signals.renew.store(true, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Does what the signal would do that does not come in raw mode: the second ends the program
    /// at once.
    fn interrupt(&self) {
        if self.signals.stop.swap(true, Ordering::Relaxed) {
            restore();
            std::process::exit(1);
        }
    }
}
