//! gzip, zstd and lz4 as plain readers whose errors are sentences.
//!
//! All three stream: what a decoder keeps is bounded by the format (gzip 32 KiB, lz4 8 MiB, zstd
//! a window of 2 GiB), however much comes out.

mod gzip;
mod lookahead;
mod lz4;
mod zstd;

use super::probe::Compression;
use lookahead::Lookahead;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that is not compressed follows the compressed data. It is not read, as gzip(1)
/// does not read it.
#[derive(Clone, Debug, Default)]
pub(super) struct Garbage(Arc<AtomicBool>);

impl Garbage {
    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it does, as far as was read.
    pub(super) fn follows(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The decompressed bytes of a reader. Several members or frames in a row are one stream; what else
/// follows is left, and `garbage` says so.
///
/// # Errors
/// When the decoder cannot be set up.
pub(super) fn decompress(
    compression: Compression,
    reader: Box<dyn Read + Send>,
    garbage: &Garbage,
) -> io::Result<Box<dyn Read + Send>> {
    let input = Lookahead::new(reader);
    let garbage = garbage.clone();
    Ok(match compression {
        Compression::Gzip => Box::new(Named::new("gzip", gzip::Members::new(input, garbage))),
        Compression::Zstd => Box::new(Named::new("zstd", zstd::Frames::new(input, garbage)?)),
        Compression::Lz4 => Box::new(Named::new("lz4", lz4::Frames::new(input, false, garbage))),
        Compression::Lz4Legacy => {
            Box::new(Named::new("lz4", lz4::Frames::new(input, true, garbage)))
        }
    })
}

/// A decoder whose errors say what they mean for the file, and are there to stay: after one of
/// them, decoders differ in whether the next read fails again or finds the end.
struct Named<R> {
    name: &'static str,
    inner: R,
    broken: Option<(ErrorKind, String)>,
}

impl<R> Named<R> {
    const fn new(name: &'static str, inner: R) -> Self {
        Self { name, inner, broken: None }
    }

    /// What an error of the decoder means.
    fn meaning(&self, cause: &io::Error) -> (ErrorKind, String) {
        let name = self.name;
        match cause.kind() {
            // Decoders report corruption as one of these, whatever the system says as another.
            ErrorKind::UnexpectedEof => {
                (ErrorKind::UnexpectedEof, format!("its {name} data is cut short"))
            }
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => {
                (ErrorKind::InvalidData, format!("its {name} data is corrupt ({cause})"))
            }
            kind => (kind, cause.to_string()),
        }
    }
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let (kind, text) = match &self.broken {
            Some(broken) => broken,
            None => match self.inner.read(room) {
                Err(cause) if cause.kind() != ErrorKind::Interrupted => {
                    let broken = self.meaning(&cause);
                    self.broken.insert(broken)
                }
                result => return result,
            },
        };
        Err(io::Error::new(*kind, text.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lz4(data: &[u8]) -> Vec<u8> {
        let checked = lz4_flex::frame::FrameInfo::new().content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(checked, Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(compression: Compression, bytes: &[u8]) -> (Vec<u8>, Option<String>) {
        let (out, error, garbage) = read_whole(compression, bytes);
        assert!(!garbage, "{compression:?}");
        (out, error)
    }

    /// The content, the error behind it, and whether garbage followed.
    fn read_whole(compression: Compression, bytes: &[u8]) -> (Vec<u8>, Option<String>, bool) {
        let mut out = Vec::new();
        let input = Box::new(io::Cursor::new(bytes.to_vec()));
        let garbage = Garbage::default();
        let mut content = decompress(compression, input, &garbage).unwrap();
        let result = content.read_to_end(&mut out);
        let again = content.read(&mut [0; 9]).map_err(|error| error.to_string());
        let error = result.err().map(|error| error.to_string());
        let want = error.clone().map_or(Ok(0), Err);
        assert_eq!(again, want, "{compression:?}: an end stays an end, and an error an error");
        (out, error, garbage.follows())
    }

    fn sample() -> Vec<u8> {
        (0..300_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
    }

    #[test]
    fn members_in_a_row_are_one_stream_and_every_cut_is_noticed() {
        let data = sample();
        let zstd = |data: &[u8]| ::zstd::stream::encode_all(data, 1).unwrap();
        let cases: [(Compression, &str, Vec<Vec<u8>>); 3] = [
            (Compression::Gzip, "gzip", vec![gzip(&data), gzip(b"second")]),
            (Compression::Zstd, "zstd", vec![zstd(&data), zstd(b"second")]),
            (Compression::Lz4, "lz4", vec![lz4(&data), lz4(b"second")]),
        ];
        for (compression, name, members) in cases {
            let whole = members.concat();
            let (out, error) = read_all(compression, &whole);
            assert_eq!(error, None, "{name}");
            assert!(out.starts_with(&data) && out.ends_with(b"second"), "{name}");
            let first = members[0].len();
            let mut cuts: Vec<usize> = (first + 1..whole.len()).collect();
            cuts.extend([1, 3, 5, 9, first / 2, first - 1, first - 4, first - 5, first - 8]);
            for cut in cuts {
                let (out, error) = read_all(compression, &whole[..cut]);
                assert!(data.starts_with(&out) || out.starts_with(&data), "{name} cut at {cut}");
                let error = error.unwrap_or_else(|| panic!("{name} cut at {cut} went unnoticed"));
                assert!(error.contains(name), "{name} cut at {cut}: {error}");
            }
        }
    }

    #[test]
    fn what_follows_compressed_data_is_padding_or_more_of_it_or_ignored() {
        let whole = |data: &[u8]| {
            [
                (Compression::Gzip, gzip(data)),
                (Compression::Zstd, ::zstd::stream::encode_all(data, 1).unwrap()),
                (Compression::Lz4, lz4(data)),
            ]
        };
        let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 9, 0, 0, 0][..], b"whatever!"].concat();
        for (compression, member) in whole(b"captured") {
            let is_gzip = compression == Compression::Gzip;
            let zeros = [0; 300_000];
            // What follows the first member: the number of members read, and whether the rest of it
            // is garbage.
            let cases = [
                (
                    "zeros",
                    [&zeros[..1000], &member, &zeros].concat(),
                    1 + usize::from(is_gzip),
                    !is_gzip,
                ),
                (
                    "a skippable frame",
                    [&skippable[..], &member].concat(),
                    2 - usize::from(is_gzip),
                    is_gzip,
                ),
                ("one at the end", [&member[..], &skippable].concat(), 2, is_gzip),
                ("a short tail", b"tail".to_vec(), 1, true),
                ("a long tail", b"more bytes than any header has".to_vec(), 1, true),
                ("what begins as a member does", b"\x1f is no member".to_vec(), 1, true),
            ];
            for (name, rest, members, garbage) in cases {
                let got = read_whole(compression, &[&member[..], &rest].concat());
                let want = (b"captured".repeat(members), None, garbage);
                assert_eq!(got, want, "{name} behind {compression:?}");
            }
        }
        // A skippable frame that is cut is a cut like any other.
        let [_, _, (compression, member)] = whole(b"captured");
        for cut in [4, 7, 12] {
            let (_, error) = read_all(compression, &[&member[..], &skippable[..cut]].concat());
            assert_eq!(error.as_deref(), Some("its lz4 data is cut short"), "{cut}");
        }
    }

    #[test]
    fn the_legacy_lz4_format_ends_where_the_input_ends() {
        let data = sample();
        let mut bytes = vec![0x02, 0x21, 0x4c, 0x18];
        for piece in data.chunks(8 << 20) {
            let block = lz4_flex::block::compress(piece);
            bytes.extend((block.len() as u32).to_le_bytes());
            bytes.extend(block);
        }
        assert_eq!(read_all(Compression::Lz4Legacy, &bytes), (data, None));
        let cut = bytes.len() - 1;
        let (_, error) = read_all(Compression::Lz4Legacy, &bytes[..cut]);
        assert_eq!(error.as_deref(), Some("its lz4 data is cut short"));
    }

    #[test]
    fn corrupt_data_is_called_corrupt() {
        // All with a checksum of the content, which in gzip a length follows.
        let mut zstd = ::zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        zstd.include_checksum(true).unwrap();
        zstd.write_all(&sample()).unwrap();
        for (compression, whole) in [
            (Compression::Gzip, gzip(&sample())),
            (Compression::Zstd, zstd.finish().unwrap()),
            (Compression::Lz4, lz4(&sample())),
        ] {
            let (middle, end) = (whole.len() / 2, whole.len());
            for (begin, bytes, what) in [
                (middle, 40, "content"),
                (middle, 1, "one byte of the content"),
                (end - 4, 1, "the checksum, or the length"),
                (end - 8, 4, "what is before that"),
            ] {
                let mut broken = whole.clone();
                broken.iter_mut().skip(begin).take(bytes).for_each(|byte| *byte ^= 0x5a);
                let (out, error) = read_all(compression, &broken);
                assert!(out.len() <= sample().len() + (8 << 20), "{compression:?}, {what}");
                let error = error.unwrap_or_else(|| panic!("{compression:?}, {what}: unnoticed"));
                assert!(error.contains("data is corrupt ("), "{compression:?}, {what}: {error}");
            }
        }
    }
}
