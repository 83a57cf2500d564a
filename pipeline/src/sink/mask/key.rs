//! The key of the mask, as a user gives it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::crypto_pan::KEY_LEN;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error(
        "{} is neither 64 hexadecimal digits nor a file that can be read; make one with `openssl rand \
         -hex 32 > {}`", path.display(), path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file holds something else.
    #[error("{} does not hold a key: 64 hexadecimal digits, or 32 bytes", path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
}

/// The key that `given` is, or that the file of this name holds.
///
/// # Errors
/// When it is neither.
pub(super) fn find(given: &str) -> Result<[u8; KEY_LEN], KeyError> {
    if let Some(key) = digits(given.as_bytes()) {
        return Ok(key);
    }
    let path = || Path::new(given).to_owned();
    let bytes = fs::read(given).map_err(|cause| KeyError::Read { path: path(), cause })?;
    let raw = bytes.as_slice().try_into().ok();
    digits(bytes.trim_ascii()).or(raw).ok_or_else(|| KeyError::Content { path: path() })
}

fn digits(text: &[u8]) -> Option<[u8; KEY_LEN]> {
    let mut key = [0; KEY_LEN];
    if text.len() != 2 * KEY_LEN {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| pair.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_typed_or_lies_in_a_file_as_digits_or_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let want: [u8; KEY_LEN] = std::array::from_fn(|at| at as u8);
        assert_eq!(find(digits).ok(), Some(want));
        for (content, want) in [
            (format!("{digits}\n").into_bytes(), Some(want)),
            (want.to_vec(), Some(want)),
            (b"".to_vec(), None),
            (digits.as_bytes()[1..].to_vec(), None),
            (b"g".repeat(64), None),
        ] {
            let path = folder.path().join("key");
            fs::write(&path, &content).unwrap();
            assert_eq!(find(path.to_str().unwrap()).ok(), want, "{content:?}");
        }
        assert!(matches!(find("/no/such/key"), Err(KeyError::Read { .. })));
    }
}
