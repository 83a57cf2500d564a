//! gzip, zstd and lz4 as plain readers whose errors are sentences.
//!
//! All three stream: what a decoder keeps is bounded by the format (gzip 32 KiB, lz4 8 MiB, zstd
//! the window that [`super::Options::zstd_window_log_max`] allows), however much comes out.

use super::probe::Compression;
use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

/// Compressed bytes read at a time.
const INPUT_BYTES: usize = 256 << 10;

/// The decompressed bytes of a reader. Several members or frames in a row are one stream.
///
/// # Errors
/// When the decoder cannot be set up.
pub(super) fn decompress(
    compression: Compression,
    reader: Box<dyn Read + Send>,
    zstd_window_log_max: u32,
) -> io::Result<Box<dyn Read + Send>> {
    let input = BufReader::with_capacity(INPUT_BYTES, reader);
    Ok(match compression {
        Compression::Gzip => {
            Box::new(Named { name: "gzip", inner: GzipMembers { member: GzDecoder::new(input) } })
        }
        Compression::Zstd => {
            let mut inner = zstd::stream::read::Decoder::with_buffer(input)?;
            inner.window_log_max(zstd_window_log_max.clamp(10, 31))?;
            Box::new(Named { name: "zstd", inner })
        }
        Compression::Lz4 => Box::new(Named { name: "lz4", inner: Lz4Frames::new(input, false) }),
        Compression::Lz4Legacy => {
            Box::new(Named { name: "lz4", inner: Lz4Frames::new(input, true) })
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

/// gzip members in a row (RFC 1952 section 2.2), and the zeros that tapes and block devices put
/// behind them.
struct GzipMembers {
    member: GzDecoder<Input>,
}

type Input = BufReader<Box<dyn Read + Send>>;

/// First byte of a member.
const GZIP_MAGIC: u8 = 0x1f;

impl Read for GzipMembers {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.member.read(room)?;
            if n > 0 || room.is_empty() {
                return Ok(n);
            }
            match first_but_zero(self.member.get_mut())? {
                None => return Ok(0),
                Some(GZIP_MAGIC) => {
                    let empty: Box<dyn Read + Send> = Box::new(io::empty());
                    let input = std::mem::replace(self.member.get_mut(), BufReader::new(empty));
                    self.member = GzDecoder::new(input);
                }
                Some(_) => {
                    return Err(io::Error::new(
                        ErrorKind::Unsupported,
                        "something that is not gzip follows its gzip data",
                    ));
                }
            }
        }
    }
}

/// Skips zeros; the byte behind them, not taken yet, or `None` at the end.
fn first_but_zero(input: &mut Input) -> io::Result<Option<u8>> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let found = bytes.get(zeros).copied();
        input.consume(zeros);
        if found.is_some() {
            return Ok(found);
        }
    }
}

/// lz4 frames in a row. The decoder ends in the same way after a frame and within a cut one; what
/// it consumed, and whether it met the end of its input, tells the two apart.
struct Lz4Frames<R: Read> {
    /// One a frame, for it does not expect the next frame to have another block size; `None` after
    /// the end.
    decoder: Option<FrameDecoder<Watched<R>>>,
    /// Data of the current frame came out, its end mark did not come yet.
    within_frame: bool,
    /// Frames of the legacy format have no end mark.
    legacy: bool,
}

/// Counts what passes and notices the end.
struct Watched<R> {
    inner: R,
    read_bytes: u64,
    ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(room)?;
        self.read_bytes += n as u64;
        self.ended |= n == 0 && !room.is_empty();
        Ok(n)
    }
}

impl<R: Read> Lz4Frames<R> {
    fn new(inner: R, legacy: bool) -> Self {
        let watched = Watched { inner, read_bytes: 0, ended: false };
        Self { decoder: Some(FrameDecoder::new(watched)), within_frame: false, legacy }
    }
}

impl<R: Read> Read for Lz4Frames<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder
            && !room.is_empty()
        {
            let before = decoder.get_ref().read_bytes;
            let n = decoder.read(room)?;
            if n > 0 {
                self.within_frame = true;
                return Ok(n);
            }
            let watched = decoder.get_ref();
            let cut = self.within_frame || watched.read_bytes != before;
            if !watched.ended {
                // An end mark; another frame may follow.
                self.decoder = self.decoder.take().map(|d| FrameDecoder::new(d.into_inner()));
                self.within_frame = false;
            } else if cut && !self.legacy {
                return Err(ErrorKind::UnexpectedEof.into());
            } else {
                self.decoder = None;
            }
        }
        Ok(0)
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
        let mut out = Vec::new();
        let input = Box::new(io::Cursor::new(bytes.to_vec()));
        let result = decompress(compression, input, 31).unwrap().read_to_end(&mut out);
        (out, result.err().map(|e| e.to_string()))
    }

    fn sample() -> Vec<u8> {
        (0..300_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
    }

    #[test]
    fn members_in_a_row_are_one_stream_and_every_cut_is_noticed() {
        let data = sample();
        let zstd = |data: &[u8]| zstd::stream::encode_all(data, 1).unwrap();
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
    fn zeros_behind_gzip_are_padding_and_other_bytes_are_named() {
        let member = gzip(b"captured");
        let padded = [&member[..], &[0; 1000], &member, &[0; 500_000]].concat();
        assert_eq!(read_all(Compression::Gzip, &padded), (b"capturedcaptured".to_vec(), None));
        let (out, error) = read_all(Compression::Gzip, &[&member[..], b"tail"].concat());
        assert_eq!(out, b"captured");
        assert_eq!(error.as_deref(), Some("something that is not gzip follows its gzip data"));
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
            (Compression::Zstd, zstd::stream::encode_all(sample().as_slice(), 1).unwrap()),
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
