//! IP and TCP headers by hand: lengths that contradict each other, options, payloads, texts.

use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::segment::{Payload, RstTexts, Segment, option, quirk};
use resetscope_core::skip::Skip;
use resetscope_core::wire::dissect;

use crate::links::ethernet;
use crate::packet::{plain, plain6};
use crate::whole;

/// [`plain`] with one 16-bit word of it replaced.
fn with_word(at: usize, word: u16) -> Vec<u8> {
    let mut packet = plain(b"12345678");
    packet[at..at + 2].copy_from_slice(&word.to_be_bytes());
    packet
}

/// [`plain`] with options in the TCP header.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut packet = plain(b"");
    packet.extend_from_slice(options);
    packet[3] += u8::try_from(options.len()).unwrap();
    packet[32] = u8::try_from(5 + options.len() / 4).unwrap() << 4;
    packet
}

#[test]
fn headers_that_contradict_themselves_are_refused_with_the_reason() {
    let data_offset = 32;
    let flags = 0x10;
    let cases: &[(&str, Vec<u8>, Skip)] = &[
        ("header length 16", with_word(0, 0x4400), Skip::BadIp),
        ("total length below the header's", with_word(2, 19), Skip::BadIp),
        ("options beyond the total length", with_word(0, 0x4f00), Skip::BadIp),
        ("later fragment", with_word(6, 0x2001), Skip::Fragment),
        ("last fragment", with_word(6, 0x0001), Skip::Fragment),
        ("UDP", with_word(8, 0x4011), Skip::NotTcp),
        ("ICMP", with_word(8, 0x4001), Skip::NotTcp),
        ("ESP", with_word(8, 0x4032), Skip::NotTcp),
        ("room for 19 bytes of TCP", with_word(2, 39), Skip::BadTcp),
        ("data offset 4", with_word(data_offset, 0x4000 | flags), Skip::BadTcp),
        ("data offset beyond the packet", with_word(data_offset, 0x8000 | flags), Skip::BadTcp),
    ];
    for (name, packet, want) in cases {
        assert_eq!(whole(LinkType::RAW, packet).err(), Some(*want), "{name}, raw");
        let frame = ethernet(&[], packet);
        assert_eq!(whole(LinkType::ETHERNET, &frame).err(), Some(*want), "{name}, Ethernet");
    }
}

#[test]
fn lengths_that_hardware_or_snap_length_explain_are_used() {
    // (name, packet, payload length, quirks)
    let jumbo = {
        let mut packet = plain6(b"12345678");
        packet[4..6].fill(0);
        packet
    };
    let cases: &[(&str, Vec<u8>, u32, u8)] = &[
        ("as sent", plain(b"12345678"), 8, 0),
        ("total length 0 before segmentation", with_word(2, 0), 8, 0),
        ("total length beyond the frame", with_word(2, 1400), 1360, quirk::CUT),
        ("padding behind the total length", with_word(2, 43), 3, 0),
        ("first fragment", with_word(6, 0x2000), 8, quirk::FIRST_FRAGMENT),
        ("don't fragment", with_word(6, 0x4000), 8, quirk::DF),
        ("reserved bit", with_word(6, 0x8000), 8, 0),
        ("IPv6 payload length 0", jumbo, 8, quirk::IPV6 | quirk::DF),
    ];
    for (name, packet, len, quirks) in cases {
        for (link, frame) in
            [(LinkType::RAW, packet.clone()), (LinkType::ETHERNET, ethernet(&[], packet))]
        {
            let got = whole(link, &frame).unwrap();
            // The builder sets "don't fragment" on IPv4 unless the case overwrote it.
            assert_eq!(got.payload_len, *len, "{name}");
            let mask =
                if packet[6] & 0x40 != 0 && *quirks & quirk::DF == 0 { !quirk::DF } else { !0 };
            assert_eq!(got.quirks & mask, *quirks, "{name}");
        }
    }
}

#[test]
fn padding_to_the_shortest_ethernet_frame_is_not_payload() {
    let mut frame = ethernet(&[], &plain(b""));
    frame.resize(60, 0);
    let got = whole(LinkType::ETHERNET, &frame).unwrap();
    assert_eq!((got.payload_len, got.payload), (0, Payload::None));
}

#[test]
fn extension_headers_are_bounded_and_fragments_told_apart() {
    let extended = |kind: u8, headers: &[&[u8]]| {
        let mut packet = plain6(b"");
        let tcp = packet.split_off(40);
        packet[6] = kind;
        let body = [&headers.concat()[..], &tcp].concat();
        packet[4..6].copy_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        packet.extend_from_slice(&body);
        packet
    };
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let fragment = |word: u16| [6, 0, (word >> 8) as u8, word as u8, 0, 0, 0, 1];
    let eight = [options(60); 7].concat();
    let cases: &[(&str, Vec<u8>, Result<u8, Skip>)] = &[
        ("destination options", extended(60, &[&options(6)]), Ok(0)),
        ("mobility", extended(135, &[&options(6)]), Ok(0)),
        ("atomic fragment", extended(44, &[&fragment(0)]), Ok(0)),
        ("first fragment", extended(44, &[&fragment(1)]), Ok(quirk::FIRST_FRAGMENT)),
        ("later fragment", extended(44, &[&fragment(8)]), Err(Skip::Fragment)),
        ("eight headers", extended(60, &[&eight, &options(6)]), Ok(0)),
        (
            "ten headers",
            extended(60, &[&eight, &options(60), &options(60), &options(6)]),
            Err(Skip::TooDeep),
        ),
        ("longer than the packet", extended(60, &[&[6, 200, 0, 0, 0, 0, 0, 0]]), Err(Skip::BadIp)),
        ("no next header", extended(59, &[]), Err(Skip::NotTcp)),
        ("ICMPv6", extended(58, &[]), Err(Skip::NotTcp)),
    ];
    for (name, packet, want) in cases {
        let got = whole(LinkType::RAW, packet).map(|got| got.quirks & quirk::FIRST_FRAGMENT);
        assert_eq!(got, *want, "{name}");
    }
}

#[test]
fn options_are_read_in_any_order_and_malformed_ones_only_marked() {
    use option::{MALFORMED, MPTCP, MSS, SACK, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE};
    let cases: &[(&str, &[u8], u8)] = &[
        (
            "a Linux SYN",
            &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7],
            MSS | SACK_PERMITTED | TIMESTAMPS | WINDOW_SCALE,
        ),
        ("timestamps aligned", &[1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0], TIMESTAMPS),
        ("timestamps first", &[8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 1], TIMESTAMPS),
        ("SACK", &[1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2], SACK),
        ("MPTCP", &[30, 4, 0x20, 0], MPTCP),
        ("nothing behind the end", &[0, 2, 4, 5], 0),
        ("unknown kind", &[99, 4, 1, 2], 0),
        ("known kind, foreign length", &[2, 3, 1, 1], 0),
        ("length 0", &[2, 0, 5, 0xb4], MALFORMED),
        ("length 1", &[99, 1, 1, 1], MALFORMED),
        ("beyond the area", &[4, 2, 2, 4], SACK_PERMITTED | MALFORMED),
        ("kind alone at the end", &[1, 1, 1, 2], MALFORMED),
    ];
    for (name, options, want) in cases {
        let got = whole(LinkType::RAW, &with_options(options)).unwrap();
        assert_eq!(got.options, *want, "{name}");
        assert_eq!(got.payload_len, 0, "{name}");
    }
    let got = whole(LinkType::RAW, &with_options(&[3, 3, 255, 2, 4, 5, 0xb4, 0])).unwrap();
    assert_eq!((got.window_scale, got.mss), (14, 1460), "RFC 7323: a shift above 14 means 14");
}

#[test]
fn payloads_are_told_by_their_first_bytes() {
    let cases: &[(&[u8], Payload)] = &[
        (b"", Payload::None),
        (b"\x15\x03\x03\x00\x02\x02\x28", Payload::TlsAlert),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", Payload::TlsClientHello),
        (b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76", Payload::TlsHandshake),
        (b"\x14\x03\x03\x00\x01\x01", Payload::TlsHandshake),
        (b"\x17\x03\x03\x40\x00", Payload::TlsData),
        (b"\x17\x03\x03\xff\xff", Payload::Other),
        (b"\x17\x07\x03\x00\x10", Payload::Other),
        (b"GET / HTTP/1.1\r\n", Payload::HttpRequest),
        (b"PRI * HTTP/2.0\r\n", Payload::HttpRequest),
        (b"OPTIONS * HTTP/1.1", Payload::HttpRequest),
        (b"GETTING ready", Payload::Other),
        (b"HTTP/1.1 200 OK\r\n", Payload::HttpResponse),
        (b"SSH-2.0-x\r\n", Payload::Other),
        (b"G", Payload::Other),
    ];
    for (bytes, want) in cases {
        assert_eq!(whole(LinkType::RAW, &plain(bytes)).unwrap().payload, *want, "{bytes:?}");
    }
}

#[test]
fn the_text_of_a_reset_is_kept_and_no_other_payload() {
    let mut texts = RstTexts::new(4);
    let mut read = |packet: &[u8]| {
        let wire_len = u32::try_from(packet.len()).unwrap();
        let frame = Frame { bytes: packet, wire_len, time_ns: 7, link: LinkType::RAW };
        let mut segment = Segment { frame: 9, text: 3, ..Segment::default() };
        dissect(&frame, &mut segment, &mut texts).unwrap();
        assert_eq!((segment.frame, segment.time_ns), (9, 7), "the frame number is the caller's");
        segment.text
    };
    assert_eq!(read(&plain(b"data")), 0, "no RST");
    assert_eq!(read(&plain6(b"")), 0, "RST without text");
    assert_eq!(read(&plain6(b"go away")), 1);
    assert_eq!(read(&plain6(b"and stay away")), 2);
    assert_eq!(texts.get(1).unwrap()[..8], *b"go away\0");
    assert_eq!(texts.get(2).unwrap()[..14], *b"and stay away\0");
}
