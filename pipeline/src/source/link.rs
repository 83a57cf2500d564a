//! Inputs of which no frame can be read, for the dissector knows none of their link types.

use super::batch::Slot;
use super::pcapng::undescribed;
use resetscope_core::frame::LinkType;
use resetscope_core::wire;
use std::fmt;

/// Link types that are told of one run.
const TOLD_MAX: usize = 4;

/// Link types by their numbers, at most as many as are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkTypes {
    types: [Option<LinkType>; TOLD_MAX],
    /// There are others.
    more: bool,
}

impl LinkTypes {
    fn add(&mut self, link: LinkType) {
        let place = self.types.iter_mut().find(|place| place.is_none_or(|known| known == link));
        match place {
            Some(place) => *place = Some(link),
            None => self.more = true,
        }
    }

    /// These and those.
    pub(super) fn and(mut self, others: Self) -> Self {
        others.types.into_iter().flatten().for_each(|link| self.add(link));
        self.more |= others.more;
        self
    }

    /// How many are told.
    pub(super) fn count(&self) -> usize {
        self.types.iter().flatten().count()
    }
}

impl fmt::Display for LinkTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, link) in self.types.iter().flatten().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            match name(*link) {
                Some(name) => write!(f, "{comma}{name} ({})", link.0)?,
                None => write!(f, "{comma}{}", link.0)?,
            }
        }
        if self.more { f.write_str(" and others") } else { Ok(()) }
    }
}

/// Watches the link types of an input's frames until one comes that can be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    readable: bool,
    foreign: LinkTypes,
}

impl Links {
    /// Looks at the next frames.
    #[inline]
    pub(super) fn watch(&mut self, slots: &[Slot]) {
        if !self.readable {
            self.watch_each(slots);
        }
    }

    #[cold]
    fn watch_each(&mut self, slots: &[Slot]) {
        let links = slots.iter().map(|slot| LinkType(slot.link));
        // What nobody described is told as damage.
        for link in links.filter(|link| link.0 != undescribed::LINK) {
            if wire::reads(link) {
                self.readable = true;
                return;
            }
            self.foreign.add(link);
        }
    }

    /// The link types of an input of which no frame can be read; none of any other.
    pub(super) fn foreign(self) -> LinkTypes {
        if self.readable { LinkTypes::default() } else { self.foreign }
    }
}

/// What the registry calls those that are met (<https://www.tcpdump.org/linktypes.html>).
fn name(link: LinkType) -> Option<&'static str> {
    Some(match link.0 {
        6 => "IEEE802_5",
        8 => "SLIP",
        10 => "FDDI",
        51 => "PPP_ETHER",
        105 => "IEEE802_11",
        107 => "FRELAY",
        117 => "PFLOG",
        119 => "IEEE802_11_PRISM",
        127 => "IEEE802_11_RADIOTAP",
        147..=162 => "USER",
        163 => "IEEE802_11_AVS",
        187 => "BLUETOOTH_HCI_H4",
        189 => "USB_LINUX",
        192 => "PPI",
        195 => "IEEE802_15_4_WITHFCS",
        197 => "ERF",
        201 => "BLUETOOTH_HCI_H4_WITH_PHDR",
        204 => "PPP_WITH_DIR",
        220 => "USB_LINUX_MMAPPED",
        227 => "CAN_SOCKETCAN",
        239 => "NFLOG",
        240 => "NETANALYZER",
        247 => "INFINIBAND",
        249 => "USBPCAP",
        252 => "WIRESHARK_UPPER_PDU",
        253 => "NETLINK",
        258 => "PKTAP",
        _ => return None,
    })
}
