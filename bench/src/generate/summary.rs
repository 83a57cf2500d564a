//! What a capture came to hold.

use std::fmt;

use resetscope_core::judge::cause::Cause;

use super::packet::{Kind, Packet};

/// Upper bounds of the bins of frame lengths, in bytes.
pub const FRAME_BINS: [usize; 8] = [60, 64, 127, 255, 511, 1_023, 1_513, usize::MAX];

const CAUSES: usize = Cause::ALL.len();

/// What a capture came to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packets.
    pub packets: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// From the first packet to the last, in nanoseconds.
    pub duration_ns: u64,
    /// Packets of TCP, UDP and ICMP.
    pub protocols: [u64; 3],
    /// Packets over IPv6.
    pub ipv6: u64,
    /// Packets with an IEEE 802.1Q tag.
    pub tagged: u64,
    /// Frames by length: one count for each of [`FRAME_BINS`].
    pub frames: [u64; FRAME_BINS.len()],
    /// TCP connections and attempts of which a packet was captured.
    pub connections: u64,
    /// Of those, connections with a RST.
    pub reset: u64,
    /// The most flows that lived at the same time.
    pub flows_most: u64,
    /// Packets with the RST flag.
    pub rsts: u64,
    /// RSTs that begin an event, by true cause, in the order of [`Cause::ALL`].
    pub causes: [u64; CAUSES],
}

impl Summary {
    /// Counts a packet of `wire_len` bytes.
    pub(super) fn packet(&mut self, packet: &Packet, wire_len: usize, v6: bool, tagged: bool) {
        self.packets += 1;
        self.wire_bytes += wire_len as u64;
        let protocol = match packet.kind {
            Kind::Tcp => 0,
            Kind::Udp => 1,
            Kind::Echo => 2,
        };
        self.protocols[protocol] += 1;
        self.ipv6 += u64::from(v6);
        self.tagged += u64::from(tagged);
        let bin = FRAME_BINS.iter().position(|most| wire_len <= *most).unwrap_or(0);
        self.frames[bin] += 1;
    }

    /// Counts the RST that begins an event.
    pub(super) fn event(&mut self, cause: Cause) {
        if let Some(count) = self.causes.get_mut(cause as usize) {
            *count += 1;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: u64, of: u64| 100.0 * part as f64 / (of.max(1)) as f64;
        let seconds = self.duration_ns as f64 / 1e9;
        let Self { packets, file_bytes, connections, reset, rsts, flows_most, .. } = self;
        writeln!(
            f,
            "{packets} packets, {file_bytes} bytes in the file, {seconds:.3} s of traffic"
        )?;
        writeln!(
            f,
            "mean frame {:.0} bytes; {:.0} packets/s, {:.1} Mbit/s in the capture's own time",
            self.wire_bytes as f64 / (*packets).max(1) as f64,
            *packets as f64 / seconds.max(1e-9),
            self.wire_bytes as f64 * 8e-6 / seconds.max(1e-9),
        )?;
        let [tcp, udp, icmp] = self.protocols.map(|count| percent(count, *packets));
        writeln!(
            f,
            "TCP {tcp:.1} %, UDP {udp:.1} %, ICMP {icmp:.1} %; IPv6 {:.1} %, tagged {:.1} %",
            percent(self.ipv6, *packets),
            percent(self.tagged, *packets),
        )?;
        write!(f, "frames of")?;
        let mut low = 0;
        for (most, count) in FRAME_BINS.into_iter().zip(self.frames) {
            let share = percent(count, *packets);
            match most {
                usize::MAX => write!(f, " {low}+ {share:.1} %")?,
                60 => write!(f, " 60 {share:.1} %,")?,
                _ => write!(f, " {low}-{most} {share:.1} %,")?,
            }
            low = most.saturating_add(1);
        }
        writeln!(f)?;
        writeln!(
            f,
            "{connections} TCP connections and attempts, {flows_most} flows at a time at most"
        )?;
        writeln!(f, "{reset} of them reset ({:.2} %); {rsts} RSTs", percent(*reset, *connections))?;
        let events: u64 = self.causes.iter().sum();
        write!(f, "{events} reset events:")?;
        for (cause, count) in Cause::ALL.iter().zip(self.causes).filter(|(_, count)| *count > 0) {
            write!(f, " {} {count} ({:.1} %)", cause.name(), percent(count, events))?;
        }
        Ok(())
    }
}
