//! Crypto-PAn: addresses as other addresses, so that two with a common prefix have masks with a common
//! prefix of the same length, and nobody without the key can tell which is which (J. Xu, J. Fan,
//! M. Ammar, S. Moon: "Prefix-Preserving IP Address Anonymization", ICNP 2002).
//!
//! The same key gives the same masks as other programs with Crypto-PAn do. What it does not hide: who
//! knows some addresses with their masks knows the prefixes of their neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// Bytes of a key: half for the cipher, half for the padding.
pub(super) const KEY_LEN: usize = 32;

/// The function for one key.
pub(super) struct CryptoPan {
    cipher: Aes128,
    /// What stands in for the bits of an address that are not looked at yet.
    pad: u128,
}

impl CryptoPan {
    /// With this key.
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Self {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u128::from(*byte));
        let (first, second) = key.split_at(KEY_LEN / 2);
        let cipher = Aes128::new(&number(first).to_be_bytes().into());
        let mut mask = Self { cipher, pad: 0 };
        mask.pad = mask.encrypt(number(second));
        mask
    }

    /// The mask of an address: one of the same family.
    pub(super) fn mask(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(v4) => {
                let masked = self.bits(u128::from(v4.to_bits()) << 96, 32);
                Ipv4Addr::from_bits((masked >> 96) as u32).into()
            }
            IpAddr::V6(v6) => Ipv6Addr::from_bits(self.bits(v6.to_bits(), 128)).into(),
        }
    }

    /// Flips each of the first `bits` bits, or not, as the bits before it say.
    fn bits(&self, address: u128, bits: u32) -> u128 {
        let flips = (0..bits).fold(0, |flips, at| {
            let before = !u128::MAX.checked_shr(at).unwrap_or(0);
            let flip = self.encrypt(address & before | self.pad & !before) >> 127;
            flips | flip << (127 - at)
        });
        address ^ flips
    }

    fn encrypt(&self, block: u128) -> u128 {
        let mut block = block.to_be_bytes().into();
        self.cipher.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The key of the reference implementation's sample.
    const KEY: [u8; KEY_LEN] = [
        21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131,
        121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2,
    ];

    #[test]
    fn masks_are_those_of_the_reference_implementation() {
        let mask = CryptoPan::new(&KEY);
        for (address, want) in [
            ("128.11.68.132", "135.242.180.132"),
            ("129.118.74.4", "134.136.186.123"),
            ("130.132.252.244", "133.68.164.234"),
            ("141.223.7.43", "141.167.8.160"),
            ("141.233.145.108", "141.129.237.235"),
            ("152.163.225.39", "151.140.114.167"),
            ("156.29.3.236", "147.225.12.42"),
            ("165.247.96.84", "162.9.99.234"),
            ("166.107.77.190", "160.132.178.185"),
            ("192.102.249.13", "252.138.62.131"),
            // The paper leaves IPv6 open; these are what yacryptopan makes of it.
            ("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"),
            ("::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"),
            ("fe80::1:2", "cf7f:c0e:1fc3:da1c:70:b18e:f7f2:e2ff"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(mask.mask(address), want.parse::<IpAddr>().unwrap(), "{address}");
        }
    }

    /// Two numbers that agree in a random number of leading bits.
    fn relatives(bits: u32) -> impl Strategy<Value = (u128, u128)> {
        (any::<u128>(), any::<u128>(), 0..=bits).prop_map(move |(a, b, same)| {
            let tail = u128::MAX.checked_shr(same).unwrap_or(0);
            let cut = !u128::MAX.checked_shr(bits).unwrap_or(0);
            (a & cut, (a & !tail | b & tail) & cut)
        })
    }

    proptest! {
        #[test]
        fn common_prefixes_keep_their_length(
            key: [u8; KEY_LEN], (a4, b4) in relatives(32), (a6, b6) in relatives(128)
        ) {
            let mask = CryptoPan::new(&key);
            for (a, b, bits) in [(a4, b4, 32), (a6, b6, 128)] {
                let (x, y) = (mask.bits(a, bits), mask.bits(b, bits));
                prop_assert_eq!((x ^ y).leading_zeros(), (a ^ b).leading_zeros());
            }
            let v4 = Ipv4Addr::from_bits((a4 >> 96) as u32).into();
            let masked: IpAddr = mask.mask(v4);
            prop_assert_eq!(masked, Ipv4Addr::from_bits((mask.bits(a4, 32) >> 96) as u32));
        }
    }
}
