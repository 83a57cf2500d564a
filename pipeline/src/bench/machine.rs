//! The machine that the figures are of.

use std::fs;
use std::num::NonZero;
use std::thread;

/// What a reader has to know of a machine to compare figures.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Machine {
    /// Model of the processor, as the system names it.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
}

impl Machine {
    /// This machine; what the system does not tell is `unknown`.
    #[must_use]
    pub fn this() -> Self {
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: cores(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Bytes of memory that can be had without swapping; as many as one likes where the system does not
/// tell.
pub(super) fn free_bytes() -> usize {
    field("/proc/meminfo", "MemAvailable")
        .and_then(|text| text.trim_end_matches(" kB").parse::<usize>().ok())
        .map_or(usize::MAX, |kib| kib.saturating_mul(1024))
}

/// The first field of this name in a file of lines `name: value`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        (field.trim() == name).then(|| value.trim().to_owned())
    })
}
