//! Capsule's runtime, built with as many queues as bring both directions of a connection to one
//! worker: one for each core where the devices see to that, else one alone.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use capsule::Runtime;

use super::error::DeviceError;
use super::port;
use super::settings::Settings;
use crate::config::Steering;

/// What was built.
pub(super) struct Built {
    pub(super) runtime: Runtime,
    /// Receive queues of each device.
    pub(super) queues: usize,
    /// Why software steers, as the beginning of a sentence, if it does.
    pub(super) steered: Option<String>,
}

/// Builds the runtime. What was opened stays so if that fails.
///
/// # Errors
/// The reason, as far as capsule told.
pub(super) fn build(settings: &Settings) -> Result<Built, DeviceError> {
    let Settings { config, devices, cores, .. } = settings;
    let queues = settings.queues_wanted();
    port::ask(config, devices, u16::try_from(queues).unwrap_or(u16::MAX));
    if queues == 1 {
        settings.check_spread(1)?;
    }
    let error = match with_queues(settings, queues) {
        Ok(runtime) => {
            let forced = queues < cores.len();
            let steered = forced.then(|| "dpdk.steering is \"software\"".to_owned());
            return Ok(Built { runtime, queues, steered });
        }
        Err(error) => error,
    };
    let Some(refusal) = port::refusal() else { return Err(error) };
    let why = match &refusal {
        _ if config.steering == Steering::Hardware => return Err(refusal),
        DeviceError::Queues { device, driver, most, .. } => {
            let several = if *most == 1 { "" } else { "s" };
            format!("{device} (driver {driver}) has {most} receive queue{several}")
        }
        DeviceError::NoSymmetry { device, driver, .. } => format!(
            "{device} (driver {driver}) cannot spread connections by symmetric receive side scaling"
        ),
        _ => return Err(refusal),
    };
    settings.check_spread(1)?;
    Ok(Built { runtime: with_queues(settings, 1)?, queues: 1, steered: Some(why) })
}

fn with_queues(settings: &Settings, queues: usize) -> Result<Runtime, DeviceError> {
    let config = settings.runtime_config(queues)?;
    let error = match catch_unwind(AssertUnwindSafe(|| Runtime::build(config))) {
        Ok(Ok(runtime)) => return Ok(runtime),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => words(panic.as_ref()),
    };
    Err(settings.refused(error))
}

/// What a panic said.
pub(super) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "an error inside DPDK".to_owned())
}
