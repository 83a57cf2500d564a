//! Recognises format and compression by the first bytes, never by name, and patiently: a slow pipe
//! may give them one at a time.

use super::pcap::{self, Header};
use super::pcapng;
use std::io::{self, ErrorKind, Read};

/// What an input turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pcap(Header),
    Pcapng,
    Compressed(Compression),
    /// Recognised, and not read.
    Foreign(&'static Foreign),
    /// Looks like a format that has no magic number.
    LooksLike(&'static Foreign),
    /// Begins like a capture and ends within the file header.
    HeaderCut {
        format: &'static str,
        need: usize,
    },
    /// Says it is a pcap version that never was.
    Version {
        major: u16,
        minor: u16,
    },
    Empty,
    Unknown,
}

/// Compression that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    /// The format of `lz4 -l`: no end mark, the stream ends where the input ends.
    Lz4Legacy,
}

/// A format that is not read: how to recognise it, its name, what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    at: usize,
    magic: &'static [u8],
    /// The name, with its article.
    pub(super) what: &'static str,
    way_out: WayOut,
}

/// What to do with a format that is not read.
#[derive(Debug, PartialEq, Eq)]
enum WayOut {
    /// Wireshark's `editcap` reads it.
    Editcap,
    /// The program that unpacks it to standard output.
    Unpack(&'static str),
    /// Anything else, as a sentence.
    Say(&'static str),
}

impl Foreign {
    const fn new(magic: &'static [u8], what: &'static str, way_out: WayOut) -> Self {
        Self { at: 0, magic, what, way_out }
    }

    /// What to do, as the rest of a sentence.
    pub(super) fn advice(&self, path: &str) -> String {
        match self.way_out {
            WayOut::Editcap => format!("convert it with `editcap -F pcap {path} converted.pcap`"),
            WayOut::Unpack(program) => {
                format!("unpack it first: `{program} {path} > capture.pcap`")
            }
            WayOut::Say(sentence) => sentence.to_owned(),
        }
    }

    fn matches(&self, bytes: &[u8]) -> bool {
        bytes.get(self.at..).is_some_and(|rest| rest.starts_with(self.magic))
    }
}

use WayOut::{Editcap, Say, Unpack};

/// Formats with a magic number, as Wireshark and `file` know them.
static FOREIGN: &[Foreign] = &[
    Foreign::new(b"snoop\0\0\0", "a Solaris snoop file", Editcap),
    Foreign::new(
        b"btsnoop\0",
        "a Bluetooth btsnoop file",
        Say("Bluetooth carries no TCP to judge"),
    ),
    Foreign::new(b"GMBU", "a Microsoft Network Monitor 2 file", Editcap),
    Foreign::new(b"RTSS", "a Microsoft Network Monitor 1 file", Editcap),
    Foreign::new(b"iptrace 1.0", "an AIX iptrace file", Editcap),
    Foreign::new(b"iptrace 2.0", "an AIX iptrace file", Editcap),
    Foreign::new(b"TRSNIFF data", "a Network General Sniffer file", Editcap),
    Foreign::new(b"XCP\0", "a NetXray or Windows Sniffer file", Editcap),
    Foreign::new(b"VL\0\0", "a NetXray file", Editcap),
    Foreign::new(b"\x05VNF", "a Visual Networks file", Editcap),
    Foreign::new(b"\xaa\xaa\xaa\xaa", "an Accellent 5Views file", Editcap),
    Foreign::new(b"\0\0\x02\0\x12\x05\0\x10", "a Tektronix K12 file", Editcap),
    Foreign::new(b"\x7fver\0", "a Savvius (OmniPeek) tagged file", Editcap),
    Foreign::new(b"EyeSDN", "an EyeSDN file", Editcap),
    Foreign::new(b"\x42\xd2\0\x34\x12\x66\x22\x88", "a RADCOM file", Editcap),
    Foreign::new(b"\xac\x01\0\x1c", "an Ixia lcap file", Editcap),
    Foreign::new(b"\x1c\0\x01\xac", "an Ixia lcap file", Editcap),
    Foreign::new(b"\xab\x01\0\x1c", "an Ixia lcap file", Editcap),
    Foreign::new(b"\x1c\0\x01\xab", "an Ixia lcap file", Editcap),
    Foreign::new(b"LPKSHHRH", "a systemd journal", Say("it holds log lines, not packets")),
    Foreign::new(
        b"SQLite format 3\0",
        "an SQLite database",
        Say("a Kismet log is converted with `kismetdb_to_pcap`"),
    ),
    Foreign::new(
        b"<?xml",
        "an XML file",
        Say("a PDML or PSML export no longer holds the packets: use the capture it was made from"),
    ),
    Foreign::new(b"PAR1", "a Parquet file", Say("name the capture it was made from")),
    Foreign::new(b"BZh", "compressed with bzip2", Unpack("bzip2 -dc")),
    Foreign::new(b"\xfd7zXZ\0", "compressed with xz", Unpack("xz -dc")),
    Foreign::new(b"\x5d\0\0", "compressed with lzma", Unpack("xz -dc")),
    Foreign::new(b"\x1f\x9d", "compressed with compress (.Z)", Unpack("gzip -dc")),
    Foreign::new(b"\x89LZO\0", "compressed with lzop", Unpack("lzop -dc")),
    Foreign::new(b"LZIP", "compressed with lzip", Unpack("lzip -dc")),
    Foreign::new(b"PK\x03\x04", "a zip archive", Unpack("unzip -p")),
    Foreign::new(b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", Unpack("7z x -so")),
    Foreign::new(b"Rar!", "a RAR archive", Unpack("unrar p -inul")),
    Foreign {
        at: 257,
        magic: b"ustar",
        what: "a tar archive",
        way_out: Say("extract the captures with `tar -xf` first"),
    },
];

/// ERF has no magic number; Wireshark, too, only judges whether a record looks plausible.
static ERF: Foreign = Foreign::new(b"", "what looks like an Endace ERF file", Editcap);

/// The first bytes of a reader, read as far as needed and no further.
pub(super) struct Prefix {
    bytes: Vec<u8>,
    ended: bool,
}

/// Bytes looked at before an input is called unknown: a tar archive says so at 257.
const PREFIX_MAX: usize = 512;

impl Prefix {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), ended: false }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Reads on until `want` bytes are there or the input ends.
    fn fill_to(&mut self, reader: &mut dyn Read, want: usize) -> io::Result<()> {
        while self.bytes.len() < want && !self.ended {
            let mut piece = [0; PREFIX_MAX];
            let room = piece.get_mut(..want - self.bytes.len()).unwrap_or_default();
            match reader.read(room) {
                Ok(0) => self.ended = true,
                Ok(n) => self.bytes.extend_from_slice(room.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Judges what follows from the reader's first bytes.
    ///
    /// # Errors
    /// When reading fails before that is possible.
    pub(super) fn judge(&mut self, reader: &mut dyn Read) -> io::Result<Kind> {
        self.fill_to(reader, 4)?;
        if self.bytes.is_empty() {
            return Ok(Kind::Empty);
        }
        if is_skippable(&self.bytes) {
            return Ok(Kind::Compressed(self.skip_frames(reader)?));
        }
        if let Some(compression) = compression(&self.bytes) {
            return Ok(Kind::Compressed(compression));
        }
        if pcap::is_magic(&self.bytes) {
            self.fill_to(reader, pcap::FILE_HEADER_BYTES)?;
            return Ok(match self.bytes.first_chunk() {
                None => Kind::HeaderCut { format: "pcap", need: pcap::FILE_HEADER_BYTES },
                Some(header) => match Header::parse(header) {
                    Ok(header) => Kind::Pcap(header),
                    Err((major, minor)) => Kind::Version { major, minor },
                },
            });
        }
        if self.bytes.starts_with(&pcapng::SECTION_TYPE) {
            self.fill_to(reader, pcapng::SECTION_BYTES)?;
            if self.bytes.len() < pcapng::SECTION_BYTES {
                return Ok(Kind::HeaderCut { format: "pcapng", need: pcapng::SECTION_BYTES });
            }
            if pcapng::is_section(&self.bytes) {
                return Ok(Kind::Pcapng);
            }
        }
        self.fill_to(reader, PREFIX_MAX)?;
        Ok(self.judge_foreign())
    }

    /// Leaves out the skippable frames at the begin, which zstd and lz4 have in common (pzstd writes
    /// one): they hold nothing of the capture, and the first other frame says whose they are. What
    /// is cut within one, or followed by something else, stays for zstd's decoder to complain of.
    fn skip_frames(&mut self, reader: &mut dyn Read) -> io::Result<Compression> {
        while is_skippable(&self.bytes) {
            self.fill_to(reader, SKIPPABLE_HEAD_BYTES)?;
            let Some(&[.., a, b, c, d]) = self.bytes.first_chunk::<SKIPPABLE_HEAD_BYTES>() else {
                return Ok(Compression::Zstd);
            };
            let content = u64::from(u32::from_le_bytes([a, b, c, d]));
            if io::copy(&mut Read::take(&mut *reader, content), &mut io::sink())? < content {
                return Ok(Compression::Zstd);
            }
            self.bytes.clear();
            self.fill_to(reader, 4)?;
        }
        Ok(match compression(&self.bytes) {
            Some(lz4 @ (Compression::Lz4 | Compression::Lz4Legacy)) => lz4,
            _ => Compression::Zstd,
        })
    }

    fn judge_foreign(&self) -> Kind {
        if let Some(foreign) = FOREIGN.iter().find(|foreign| foreign.matches(&self.bytes)) {
            return Kind::Foreign(foreign);
        }
        if looks_like_erf(&self.bytes) { Kind::LooksLike(&ERF) } else { Kind::Unknown }
    }
}

/// Magic number and length of a skippable frame (RFC 8878 section 3.1.2, which took it from lz4).
const SKIPPABLE_HEAD_BYTES: usize = 8;

/// Whether a skippable frame begins here.
fn is_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn compression(bytes: &[u8]) -> Option<Compression> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
        [0x02, 0x21, 0x4c, 0x18, ..] => Some(Compression::Lz4Legacy),
        _ => None,
    }
}

/// Whether an ERF record stands here and another one right after it: type in the range given out,
/// a record that is longer than its header and not longer than a jumbo frame, a date from 1995 on.
fn looks_like_erf(bytes: &[u8]) -> bool {
    fn record(bytes: &[u8]) -> Option<usize> {
        let head = bytes.first_chunk::<16>()?;
        let seconds = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let record_bytes = usize::from(u16::from_be_bytes([head[10], head[11]]));
        let plausible = (1..=48).contains(&(head[8] & 0x7f))
            && (16..=16_384).contains(&record_bytes)
            && seconds > 788_918_400;
        plausible.then_some(record_bytes)
    }
    let Some(first) = record(bytes) else { return false };
    bytes.get(first..).is_none_or(|rest| rest.len() < 16 || record(rest).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a call, with an interruption before each.
    struct Trickle<'a>(&'a [u8], bool);

    impl Read for Trickle<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::Interrupted.into());
            }
            let n = usize::from(!self.0.is_empty() && !room.is_empty());
            let (now, later) = self.0.split_at(n);
            room[..n].copy_from_slice(now);
            self.0 = later;
            Ok(n)
        }
    }

    #[test]
    fn a_slow_interrupted_reader_is_judged_like_a_fast_one_and_not_read_further_than_needed() {
        let mut pcap = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        pcap.resize(100, 1);
        let mut prefix = Prefix::new();
        let kind = prefix.judge(&mut Trickle(&pcap, false)).unwrap();
        assert!(matches!(kind, Kind::Pcap(_)), "{kind:?}");
        assert_eq!(prefix.into_bytes(), &pcap[..24]);
    }

    #[test]
    fn the_first_frame_that_holds_something_says_whose_the_skippable_ones_are() {
        const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd and so on";
        const LZ4: &[u8] = b"\x04\x22\x4d\x18 and so on";
        const LEGACY: &[u8] = b"\x02\x21\x4c\x18 and so on";
        let skippable = |kind: u8, len: usize| {
            let mut frame = vec![0x50 + kind, 0x2a, 0x4d, 0x18];
            frame.extend((len as u32).to_le_bytes());
            // What it holds is nobody's business, also when it looks like a frame.
            frame.extend(LZ4.iter().chain(ZSTD).cycle().take(len));
            frame
        };
        let [empty, long] = [skippable(0, 0), skippable(15, 100_000)];
        let both = [&long[..], &empty].concat();
        let cut = &skippable(3, 40)[..30];
        for (before, then, want, left, why) in [
            (&empty, ZSTD, Compression::Zstd, ZSTD, "an empty one"),
            (&empty, LZ4, Compression::Lz4, LZ4, "an empty one"),
            (&long, ZSTD, Compression::Zstd, ZSTD, "one longer than what is looked at"),
            (&long, LZ4, Compression::Lz4, LZ4, "one longer than what is looked at"),
            (&both, LZ4, Compression::Lz4, LZ4, "several"),
            (&both, LEGACY, Compression::Lz4Legacy, LEGACY, "before the legacy format"),
            (&both, b"", Compression::Zstd, b"", "nothing behind it"),
            (&both, b"\x1f\x8b\x08", Compression::Zstd, b"\x1f\x8b\x08", "gzip has none"),
            (&both, &cut[..6], Compression::Zstd, &cut[..6], "a head that is cut"),
            (&both, cut, Compression::Zstd, &cut[..8], "one that is cut"),
        ] {
            let bytes = [&before[..], then].concat();
            let (mut prefix, mut reader) = (Prefix::new(), Trickle(&bytes, false));
            let kind = prefix.judge(&mut reader).unwrap();
            assert_eq!(kind, Kind::Compressed(want), "{why}: {then:?}");
            assert_eq!([&prefix.into_bytes(), reader.0].concat(), left, "{why}: {then:?}");
        }
    }

    #[test]
    fn every_foreign_magic_is_found_by_its_own_entry() {
        for foreign in FOREIGN {
            let mut bytes = vec![b'.'; foreign.at];
            bytes.extend_from_slice(foreign.magic);
            bytes.resize(bytes.len() + 600, 0);
            let kind = Prefix::new().judge(&mut bytes.as_slice()).unwrap();
            let Kind::Foreign(found) = kind else { panic!("{}: {kind:?}", foreign.what) };
            assert_eq!(found.what, foreign.what);
            assert!(!found.advice("x").is_empty());
        }
    }

    #[test]
    fn two_plausible_records_look_like_erf_and_text_does_not() {
        let mut record = vec![0, 0, 0, 0, 0, 0, 0, 0x60, 2, 4, 0, 80, 0, 0, 0, 60];
        record.resize(80, 0);
        let twice = [record.clone(), record].concat();
        assert_eq!(Prefix::new().judge(&mut twice.as_slice()).unwrap(), Kind::LooksLike(&ERF));
        let text = b"timestamp,source,destination,length\n".repeat(20);
        assert_eq!(Prefix::new().judge(&mut text.as_slice()).unwrap(), Kind::Unknown);
    }
}
