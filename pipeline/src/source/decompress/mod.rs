//! gzip, zstd and lz4 as plain readers whose errors are sentences.
//!
//! All three stream: what a decoder keeps is bounded by the format (gzip 32 KiB, lz4 8 MiB, zstd
//! the window that [`super::Options::zstd_window_log_max`] allows), however much comes out.

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
    zstd_window_log_max: u32,
    garbage: &Garbage,
) -> io::Result<Box<dyn Read + Send>> {
    let input = Lookahead::new(reader);
    let garbage = garbage.clone();
    Ok(match compression {
        Compression::Gzip => {
            Box::new(Named { name: "gzip", inner: gzip::Members::new(input, garbage) })
        }
        Compression::Zstd => {
            let inner = zstd::Frames::new(input, zstd_window_log_max, garbage)?;
            Box::new(Named { name: "zstd", inner })
        }
        Compression::Lz4 => {
            Box::new(Named { name: "lz4", inner: lz4::Frames::new(input, false, garbage) })
        }
        Compression::Lz4Legacy => {
            Box::new(Named { name: "lz4", inner: lz4::Frames::new(input, true, garbage) })
        }
    })
}

/// A decoder whose errors say what they mean for the file.
struct Named<R> {
    name: &'static str,
    inner: R,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.inner.read(room).map_err(|cause| match cause.kind() {
            ErrorKind::Interrupted => cause,
            // Decoders report corruption as one of these, whatever the system says as another.
            ErrorKind::UnexpectedEof => io::Error::new(
                ErrorKind::UnexpectedEof,
                format!("its {} data is cut short", self.name),
            ),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => io::Error::new(
                ErrorKind::InvalidData,
                format!("its {} data is corrupt ({cause})", self.name),
            ),
            _ => cause,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lz4(data: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
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
        let mut content = decompress(compression, input, 31, &garbage).unwrap();
        let result = content.read_to_end(&mut out);
        if result.is_ok() {
            assert_eq!(content.read(&mut [0; 9]).unwrap(), 0, "the end stays the end");
        }
        (out, result.err().map(|e| e.to_string()), garbage.follows())
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
        for (compression, whole) in [
            (Compression::Gzip, gzip(&sample())),
            (Compression::Zstd, ::zstd::stream::encode_all(sample().as_slice(), 1).unwrap()),
            (Compression::Lz4, lz4(&sample())),
        ] {
            let mut broken = whole.clone();
            broken[4] ^= 0xff;
            for byte in broken.iter_mut().skip(whole.len() / 2).take(40) {
                *byte ^= 0x5a;
            }
            let (out, error) = read_all(compression, &broken);
            assert!(out.len() <= sample().len() + (8 << 20), "{compression:?}");
            let noticed = error.is_some() || out != sample();
            assert!(noticed, "{compression:?}: {error:?}");
        }
    }
}
