//! What is known of each RST, and the lines that tell it (fields: `bench/lab/README.md`).

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use resetscope_core::judge::cause::Subcause;
use serde::Serialize;

use super::packet::{NO_TRUTH, Options, Packet, flag};
use super::wire::Address;

/// What a behaviour's resets mean.
#[derive(Debug)]
pub(super) struct Label {
    /// The kernel lab's scenario of the same kind; numbers from 100 have none.
    pub(super) scenario: &'static str,
    /// The expected verdict.
    pub(super) subcause: Subcause,
    /// Verdicts that are as good, because a passive tap cannot know better.
    pub(super) also: &'static [Subcause],
}

impl Label {
    /// A label.
    pub(super) const fn new(
        scenario: &'static str,
        subcause: Subcause,
        also: &'static [Subcause],
    ) -> Self {
        Self { scenario, subcause, also }
    }
}

/// Who wrote a RST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// The stack of the client (0) or the server (1).
    Kernel(usize),
    /// A firewall's reject rule.
    Firewall,
    /// A third party that forges.
    Injector,
    /// `tcpkill` of dsniff.
    Tcpkill,
}

impl Sender {
    const fn name(self) -> &'static str {
        match self {
            Self::Kernel(0) => "client-kernel",
            Self::Kernel(_) => "server-kernel",
            Self::Firewall => "nft",
            Self::Injector => "injector",
            Self::Tcpkill => "tcpkill",
        }
    }
}

/// What is known of one RST.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// What it means.
    pub(super) label: &'static Label,
    /// Who wrote it.
    pub(super) sender: Sender,
    /// What Linux's `tcp:tcp_send_reset` would say; `None` for other senders.
    pub(super) reason: Option<&'static str>,
    /// A socket died of it.
    pub(super) accepted: bool,
    /// A further RST of an event that another one began.
    pub(super) aftermath: bool,
    /// When it was written, in nanoseconds of the capture.
    pub(super) at: u64,
}

/// What is known of the RSTs that have not passed the tap yet.
#[derive(Default)]
pub(super) struct Ledger {
    told: Vec<Option<Told>>,
    free: Vec<u32>,
}

impl Ledger {
    /// Keeps what is known; the number is for the packet.
    pub(super) fn put(&mut self, told: Told) -> u32 {
        if let Some(number) = self.free.pop() {
            if let Some(slot) = self.told.get_mut(number as usize) {
                *slot = Some(told);
            }
            return number;
        }
        self.told.push(Some(told));
        self.told.len() as u32 - 1
    }

    /// A second entry for a frame that the tap copies twice: a RST that kills nobody again.
    pub(super) fn copy(&mut self, number: u32) -> u32 {
        let told = self.told.get(number as usize).copied().flatten();
        told.map_or(NO_TRUTH, |told| self.put(Told { accepted: false, aftermath: true, ..told }))
    }

    /// What is known of a packet, which passes now.
    pub(super) fn take(&mut self, number: u32) -> Option<Told> {
        let told = self.told.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(told)
    }
}

#[derive(Serialize)]
struct Verdict {
    cause: &'static str,
    subcause: &'static str,
}

impl From<Subcause> for Verdict {
    fn from(subcause: Subcause) -> Self {
        Self { cause: subcause.cause().name(), subcause: subcause.id() }
    }
}

#[derive(Serialize)]
struct Seen {
    client: u64,
}

#[derive(Serialize)]
struct Line {
    scenario: &'static str,
    time_ns: u64,
    src: IpAddr,
    sport: u16,
    dst: IpAddr,
    dport: u16,
    seq: u32,
    sender: &'static str,
    kernel_reason: Option<&'static str>,
    kernel_state: Option<&'static str>,
    active: Option<bool>,
    kernel_time_ns: Option<u64>,
    accepted: bool,
    form: &'static str,
    taps: [&'static str; 1],
    frame: Seen,
    #[serde(flatten)]
    verdict: Verdict,
    also_right: Vec<Verdict>,
    role: &'static str,
}

/// Writes the line of a RST that is frame `number` and was captured at `time_ns` (since 1970); the
/// capture began at `epoch_ns`.
pub(super) fn write(
    out: &mut dyn Write,
    address: &Address,
    packet: &Packet,
    told: &Told,
    number: u64,
    [time_ns, epoch_ns]: [u64; 2],
) -> io::Result<()> {
    let from = usize::from(packet.side & 1);
    let form = form(packet);
    let kernel = matches!(told.sender, Sender::Kernel(_));
    let line = Line {
        scenario: told.label.scenario,
        time_ns,
        src: ip(address, from),
        sport: address.port[from],
        dst: ip(address, from ^ 1),
        dport: address.port[from ^ 1],
        seq: packet.seq,
        sender: told.sender.name(),
        kernel_reason: told.reason,
        kernel_state: None,
        active: kernel.then_some(form == "ACTIVE_RA"),
        kernel_time_ns: kernel.then_some(epoch_ns + told.at),
        accepted: told.accepted,
        form,
        taps: ["client"],
        frame: Seen { client: number },
        verdict: told.label.subcause.into(),
        also_right: told.label.also.iter().map(|also| Verdict::from(*also)).collect(),
        role: if told.aftermath { "aftermath" } else { "primary" },
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

fn ip(address: &Address, side: usize) -> IpAddr {
    let bytes = address.ip[side & 1];
    if address.v6 {
        Ipv6Addr::from(bytes).into()
    } else {
        Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()
    }
}

/// The form of a RST, from its bytes; as the kernel lab does it, but for Windows, whose active resets
/// have no window.
fn form(packet: &Packet) -> &'static str {
    let bare = packet.window == 0 && packet.options == Options::None && packet.payload.len == 0;
    match (packet.has(flag::ACK), packet.seq) {
        (false, _) if bare && packet.df && packet.ack == 0 => "REPLY_R",
        (true, 0) if bare && packet.df => "REPLY_RA",
        (true, _) if packet.df && packet.payload.len == 0 => "ACTIVE_RA",
        _ => "ODD",
    }
}
