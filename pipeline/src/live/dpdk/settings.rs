//! What is asked of DPDK, checked before DPDK sees it: it tells a missing file or page with thirty
//! lines that do not name it.

use std::fs::{self, File};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use capsule::config::RuntimeConfig;
use serde_json::json;

use super::error::DeviceError;
use super::queue::BURST;
use crate::config::{Dpdk, Steering};
use crate::live::interface;

/// The kernel's drivers that let DPDK at a device: UIO and VFIO, and those of adapters that DPDK
/// shares with the kernel.
const OPEN_DRIVERS: [&str; 6] =
    ["vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core", "mana"];

/// Size of a huge page in KiB on which the advice to reserve some is based.
const PAGE_KIB: u64 = 2048;

/// A device, in DPDK's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// A PCI address, or the name of a virtual device, such as `net_pcap0`.
    pub name: String,
    /// Arguments of a virtual device, such as `rx_pcap=trace.pcap`.
    pub args: Option<String>,
}

impl Device {
    fn new(text: &str) -> Self {
        let (name, args) = text.split_once(',').map_or((text, None), |(name, of)| (name, Some(of)));
        Self { name: name.to_owned(), args: args.map(str::to_owned) }
    }

    /// Whether it is hardware, at a PCI address.
    #[must_use]
    pub fn is_pci(&self) -> bool {
        !self.name.starts_with("net_")
    }

    /// The value of the argument `key`.
    #[must_use]
    pub fn arg(&self, key: &str) -> Option<&str> {
        let mut args = self.args.as_deref().unwrap_or_default().split(',');
        args.find_map(|arg| arg.strip_prefix(key)?.strip_prefix('='))
    }

    /// Whether frames come from a file, once, with the times at which they were recorded.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.name.starts_with("net_pcap")
            && self.arg("rx_pcap").is_some()
            && self.arg("infinite_rx").is_none_or(|value| value == "0")
    }

    /// The interface that it stands on, which the kernel goes on using.
    #[must_use]
    pub fn interface(&self) -> Option<&str> {
        self.arg("iface").or_else(|| self.arg("rx_iface"))
    }

    /// The argument by which a virtual device opens several queues itself, and how many.
    fn spread(&self) -> Option<(&'static str, usize)> {
        let number = |key| Some((key, self.arg(key)?.parse().ok()?));
        number("qpairs").or_else(|| number("queue_count"))
    }

    /// Whether it is AF_XDP, which loads a program into the kernel.
    #[must_use]
    pub fn is_af_xdp(&self) -> bool {
        self.name.starts_with("net_af_xdp")
    }
}

/// Everything that is asked of DPDK.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The devices.
    pub devices: Vec<Device>,
    /// The core of the thread that opens and closes them.
    pub main_core: usize,
    /// A core for each worker, rising: capsule gives the first queue to the lowest, and that one
    /// receives where software steers.
    pub cores: Vec<usize>,
    /// The rest, as it is in the configuration.
    pub config: Dpdk,
}

impl Settings {
    /// Settings for `workers` workers on `cores`, or on the last of the `usable` ones.
    #[must_use]
    pub fn new(config: &Dpdk, workers: usize, cores: &[usize], usable: &[usize]) -> Self {
        let given = config.main_core.map(crate::config::Within::as_usize);
        let mut cores: Vec<usize> = if cores.is_empty() {
            let free: Vec<usize> =
                usable.iter().copied().filter(|core| Some(*core) != given).collect();
            free.get(free.len().saturating_sub(workers)..).unwrap_or_default().to_vec()
        } else {
            cores.iter().copied().take(workers).collect()
        };
        cores.sort_unstable();
        let other = usable.iter().copied().find(|core| !cores.contains(core));
        // The last core receives only where every one does.
        let main_core = given.or(other).or(cores.last().copied()).unwrap_or(0);
        let devices = config.devices.iter().map(|text| Device::new(text)).collect();
        Self { devices, main_core, cores, config: config.clone() }
    }

    /// The devices in one line.
    #[must_use]
    pub fn names(&self) -> String {
        self.devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Whether an ordinary user could not open the devices.
    #[must_use]
    pub fn takes_root(&self) -> bool {
        self.devices.iter().any(|device| device.is_pci() || device.interface().is_some())
    }

    /// Takes the interfaces that are used through AF_XDP for this program alone, until what is
    /// returned is dropped: a second program would fail to get the queue, and unload the first one's
    /// filter from the kernel on its way out.
    ///
    /// # Errors
    /// When another program has one.
    pub(super) fn lock(&self) -> Result<Vec<UnixDatagram>, DeviceError> {
        let names = self.devices.iter().filter(|device| device.is_af_xdp());
        names.filter_map(Device::interface).map(|name| self.lock_interface(name)).collect()
    }

    fn lock_interface(&self, interface: &str) -> Result<UnixDatagram, DeviceError> {
        // Abstract names belong to the network namespace, as interfaces do, and end with the process.
        SocketAddr::from_abstract_name(format!("resetscope/af_xdp/{interface}"))
            .and_then(|name| UnixDatagram::bind_addr(&name))
            .map_err(|_| {
                let said = format!("resetscope listens on {interface} already");
                DeviceError::Busy { devices: self.names(), said }
            })
    }

    /// Looks for what DPDK would fail on.
    ///
    /// # Errors
    /// The first thing that is not there.
    pub fn check(&self) -> Result<(), DeviceError> {
        self.devices.iter().try_for_each(|device| check_device(device, Path::new("/sys")))?;
        if self.config.huge_pages {
            check_huge_pages(self.config.memory_mib.get(), Path::new("/sys"))?;
        }
        Ok(())
    }

    /// Frames that a worker takes from its queues at once, at most.
    pub(super) fn frames_at_once(&self) -> usize {
        self.devices.len() * self.config.bursts.as_usize() * BURST
    }

    /// Receive queues of each device, if the devices are to deal out connections.
    pub(super) fn queues_wanted(&self) -> usize {
        if self.config.steering == Steering::Software { 1 } else { self.cores.len() }
    }

    /// Looks for virtual devices that would put frames where nobody looks.
    ///
    /// # Errors
    /// The first that is spread over more than `queues` queues.
    pub(super) fn check_spread(&self, queues: usize) -> Result<(), DeviceError> {
        let spread = self.devices.iter().find_map(|device| {
            let (key, spread) = device.spread()?;
            (spread > queues).then(|| (device.name.clone(), key, spread))
        });
        match spread {
            None => Ok(()),
            Some((device, key, spread)) => Err(DeviceError::Unread { device, key, spread, queues }),
        }
    }

    /// The same in capsule's words, with the first cores for so many queues.
    ///
    /// # Errors
    /// When capsule reads them otherwise than they are meant.
    pub(super) fn runtime_config(&self, queues: usize) -> Result<RuntimeConfig, DeviceError> {
        let cores = self.cores.get(..queues).unwrap_or(&self.cores);
        let Dpdk { buffers, buffer_cache, rx_descriptors, promiscuous, .. } = &self.config;
        let port = |(number, device): (usize, &Device)| {
            json!({
                "name": port_name(number),
                "device": device.name,
                "args": device.args,
                "cores": cores,
                "rxd": rx_descriptors.get(),
                "txd": 512,
                "promiscuous": promiscuous,
            })
        };
        let ports: Vec<_> = self.devices.iter().enumerate().map(port).collect();
        let config = json!({
            "app_name": "resetscope",
            "master_core": self.main_core,
            "mempool": { "capacity": buffers.get(), "cache_size": buffer_cache.get() },
            "ports": ports,
            "dpdk_args": self.eal_args().join(" "),
        });
        serde_json::from_value(config).map_err(|error| self.refused(error.to_string()))
    }

    fn eal_args(&self) -> Vec<String> {
        let mut args = vec!["--no-telemetry".to_owned(), "--log-level=error".to_owned()];
        args.extend(["-m".to_owned(), self.config.memory_mib.get().to_string()]);
        // Without files: nothing is left behind however the program ends, and any number of it may
        // run beside each other.
        let memory: &[&str] =
            if self.config.huge_pages { &["--in-memory"] } else { &["--no-huge", "--no-shconf"] };
        args.extend(memory.iter().map(|&arg| arg.to_owned()));
        if !self.devices.iter().any(Device::is_pci) {
            args.push("--no-pci".to_owned());
        }
        args.extend(self.config.eal_args.iter().cloned());
        args
    }

    pub(super) fn refused(&self, said: String) -> DeviceError {
        DeviceError::Refused { devices: self.names(), said }
    }
}

/// The name by which capsule knows the device of this number.
pub(super) fn port_name(number: usize) -> String {
    format!("port{number}")
}

fn check_device(device: &Device, sys: &Path) -> Result<(), DeviceError> {
    if device.is_pci() {
        return check_pci(&device.name, sys);
    }
    let present = interface::names();
    let missing = |name: &&str| !present.iter().any(|of| of == name);
    if let Some(name) = device.interface().filter(missing).map(str::to_owned) {
        return Err(DeviceError::NoInterface { device: device.name.clone(), name, present });
    }
    if let Some(path) = device.arg("rx_pcap") {
        File::open(path).map_err(|cause| {
            let (device, path) = (device.name.clone(), path.into());
            DeviceError::Recording { device, path, cause }
        })?;
    }
    Ok(())
}

fn check_pci(address: &str, sys: &Path) -> Result<(), DeviceError> {
    let folder = sys.join("bus/pci/devices").join(address);
    let address = address.to_owned();
    if !folder.is_dir() {
        return Err(DeviceError::NoPci { address });
    }
    let Ok(driver) = fs::read_link(folder.join("driver")) else {
        return Err(DeviceError::IdlePci { address });
    };
    let driver = driver.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if OPEN_DRIVERS.contains(&driver.as_str()) {
        Ok(())
    } else {
        Err(DeviceError::KernelsPci { address, driver })
    }
}

fn check_huge_pages(needed_mib: u64, sys: &Path) -> Result<(), DeviceError> {
    let kinds = fs::read_dir(sys.join("kernel/mm/hugepages")).into_iter().flatten().flatten();
    let free_kib: u64 = kinds
        .filter_map(|kind| {
            let name = kind.file_name().into_string().ok()?;
            let size: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            let free = fs::read_to_string(kind.path().join("free_hugepages")).ok()?;
            Some(size * free.trim().parse::<u64>().ok()?)
        })
        .sum();
    let free_mib = free_kib >> 10;
    if free_mib < needed_mib {
        let pages = (needed_mib << 10).div_ceil(PAGE_KIB);
        return Err(DeviceError::HugePages { needed_mib, free_mib, pages });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn settings(main: Option<u64>, workers: usize, cores: &[usize], usable: &[usize]) -> Settings {
        let main_core = main.map(|core| core.try_into().unwrap());
        Settings::new(&Dpdk { main_core, ..Dpdk::default() }, workers, cores, usable)
    }

    #[test]
    fn workers_get_the_last_cores_and_the_main_thread_one_of_the_others() {
        for (main, workers, cores, usable, want, reason) in [
            (None, 1, &[][..], &[0, 1, 2, 3][..], (0, vec![3]), "one worker"),
            (None, 2, &[], &[0, 1, 2, 3], (0, vec![2, 3]), "two"),
            (None, 2, &[], &[4, 5], (5, vec![4, 5]), "no core is left for the main thread"),
            (Some(3), 2, &[], &[0, 1, 2, 3], (3, vec![1, 2]), "the main core is taken"),
            (None, 2, &[3, 0], &[0, 1, 2, 3], (1, vec![0, 3]), "cores are given"),
            (None, 1, &[3, 0], &[0, 1, 2, 3], (0, vec![3]), "more cores than workers"),
        ] {
            let got = settings(main, workers, cores, usable);
            assert_eq!((got.main_core, got.cores), want, "{reason}");
        }
    }

    #[test]
    fn devices_are_known_by_their_names_and_arguments() {
        for (text, pci, recording, kernels) in [
            ("0000:af:00.1", true, false, false),
            ("net_pcap0,rx_pcap=a b.pcap", false, true, false),
            ("net_pcap0,rx_pcap=a.pcap,infinite_rx=1", false, false, false),
            ("net_pcap0,rx_iface=eth0", false, false, true),
            ("net_af_packet0,iface=eth0", false, false, true),
            ("net_null0", false, false, false),
        ] {
            let device = Device::new(text);
            let got = (device.is_pci(), device.is_recording(), device.interface().is_some());
            assert_eq!(got, (pci, recording, kernels), "{text}");
        }
    }

    #[test]
    fn a_pci_device_must_be_there_and_free() {
        let folder = tempfile::tempdir().unwrap();
        let devices = folder.path().join("bus/pci/devices");
        for (address, driver) in [
            ("0000:00:01.0", Some("vfio-pci")),
            ("0000:00:02.0", Some("ixgbe")),
            ("0000:00:03.0", None),
        ] {
            fs::create_dir_all(devices.join(address)).unwrap();
            if let Some(driver) = driver {
                symlink(Path::new("/drivers").join(driver), devices.join(address).join("driver"))
                    .unwrap();
            }
        }
        for (address, want) in [
            ("0000:00:01.0", None),
            ("0000:00:02.0", Some("0000:00:02.0 belongs to the kernel's driver ixgbe: ")),
            ("0000:00:03.0", Some("0000:00:03.0 has no driver: ")),
            ("0000:00:04.0", Some("there is no PCI device 0000:00:04.0; ")),
        ] {
            let got = check_pci(address, folder.path()).err().map(|error| error.to_string());
            match want {
                None => assert_eq!(got, None, "{address}"),
                Some(want) => assert!(got.as_ref().unwrap().starts_with(want), "{got:?}"),
            }
        }
    }

    #[test]
    fn huge_pages_of_all_sizes_count() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, free) in [("hugepages-2048kB", "10\n"), ("hugepages-1048576kB", "1\n")] {
            let folder = folder.path().join("kernel/mm/hugepages").join(kind);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("free_hugepages"), free).unwrap();
        }
        assert!(check_huge_pages(1044, folder.path()).is_ok());
        let error = check_huge_pages(1045, folder.path()).unwrap_err();
        assert!(error.to_string().contains("--pages 523"), "{error}");
    }
}
