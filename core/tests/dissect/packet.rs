//! Random IP packets that hold a TCP segment, built by `etherparse`.

use etherparse::{
    IpAuthHeader, IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv4Options,
    Ipv6Extensions, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, Ipv6RoutingExtensions,
    PacketBuilder, TcpHeader, TcpOptionElement, TcpOptions,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// The bytes of one IP packet of either version, extension headers and TCP options included.
pub(crate) fn ip_packet() -> impl Strategy<Value = Vec<u8>> {
    (ip_headers(), tcp_header(), payload()).prop_map(|(ip, tcp, payload)| {
        let mut bytes = Vec::new();
        PacketBuilder::ip(ip).tcp_header(tcp).write(&mut bytes, &payload).unwrap();
        bytes
    })
}

/// The plainest packet: `source` to `destination` without options, for tables of cases.
pub(crate) fn plain(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [198, 51, 100, 2], 61)
        .tcp(40000, 443, 1000, 8192)
        .ack(77)
        .write(&mut bytes, payload)
        .unwrap();
    bytes
}

/// As [`plain`], over IPv6.
pub(crate) fn plain6(payload: &[u8]) -> Vec<u8> {
    let (mut source, mut destination) = ([0x20; 16], [0x20; 16]);
    (source[15], destination[15]) = (9, 3);
    let mut bytes = Vec::new();
    PacketBuilder::ipv6(source, destination, 55)
        .tcp(443, 50000, 5, 100)
        .rst()
        .write(&mut bytes, payload)
        .unwrap();
    bytes
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 1..64),
        vec(any::<u8>(), 1400..1500),
        Just(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        Just(vec![22, 3, 1, 0, 200, 1, 0, 0, 196]),
    ]
}

fn ip_headers() -> impl Strategy<Value = IpHeaders> {
    prop_oneof![ipv4(), ipv6()]
}

fn ipv4() -> impl Strategy<Value = IpHeaders> {
    let options = (0usize..=10).prop_flat_map(|words| vec(any::<u8>(), words * 4));
    // Half of all packets without options, as the short path wants them.
    let options = prop_oneof![Just(Vec::new()), options];
    (any::<([u8; 4], [u8; 4], u16, bool, u8, u8)>(), options).prop_map(
        |((source, destination, id, df, ttl, tos), options)| {
            let mut header = Ipv4Header::new(0, ttl, IpNumber::TCP, source, destination).unwrap();
            header.identification = id;
            header.dont_fragment = df;
            header.dscp = (tos >> 2).try_into().unwrap();
            header.ecn = (tos & 3).try_into().unwrap();
            header.options = Ipv4Options::try_from(options.as_slice()).unwrap();
            IpHeaders::Ipv4(header, Ipv4Extensions::default())
        },
    )
}

fn ipv6() -> impl Strategy<Value = IpHeaders> {
    let raw = || {
        proptest::option::of((0usize..4, any::<u8>()).prop_map(|(units, fill)| {
            Ipv6RawExtHeader::new_raw(IpNumber::TCP, &vec![fill; units * 8 + 6]).unwrap()
        }))
    };
    let auth =
        proptest::option::of((0usize..4).prop_map(|words| {
            IpAuthHeader::new(IpNumber::TCP, 1, 2, &vec![7; words * 4]).unwrap()
        }));
    // Unfragmented, an atomic fragment, or a first fragment.
    let fragment = proptest::option::of(any::<(bool, u32)>().prop_map(|(more, id)| {
        Ipv6FragmentHeader::new(IpNumber::TCP, IpFragOffset::try_new(0).unwrap(), more, id)
    }));
    (any::<([u8; 16], [u8; 16], u8, u8)>(), raw(), raw(), raw(), raw(), fragment, auth).prop_map(
        |((source, destination, hops, class), hop, dest, routing, last, fragment, auth)| {
            let header = Ipv6Header {
                traffic_class: class,
                hop_limit: hops,
                source,
                destination,
                ..Ipv6Header::default()
            };
            let extensions = Ipv6Extensions {
                hop_by_hop_options: hop,
                destination_options: dest,
                routing: routing.map(|routing| Ipv6RoutingExtensions {
                    routing,
                    final_destination_options: last,
                }),
                fragment,
                auth,
            };
            IpHeaders::Ipv6(header, extensions)
        },
    )
}

fn tcp_header() -> impl Strategy<Value = TcpHeader> {
    (any::<(u16, u16, u32, u32, u16)>(), any::<[bool; 8]>(), tcp_options()).prop_map(
        |((source, destination, seq, ack, window), flags, options)| {
            let mut header = TcpHeader::new(source, destination, seq, window);
            header.acknowledgment_number = ack;
            let [fin, syn, rst, psh, ack, urg, ece, cwr] = flags;
            (header.fin, header.syn, header.rst, header.psh) = (fin, syn, rst, psh);
            (header.ack, header.urg, header.ece, header.cwr) = (ack, urg, ece, cwr);
            header.options = options;
            header
        },
    )
}

fn tcp_options() -> impl Strategy<Value = TcpOptions> {
    use TcpOptionElement::{
        MaximumSegmentSize, Noop, SelectiveAcknowledgement, SelectiveAcknowledgementPermitted,
        Timestamp, WindowScale,
    };
    let element = prop_oneof![
        Just(Noop),
        any::<u16>().prop_map(MaximumSegmentSize),
        (0u8..15).prop_map(WindowScale),
        Just(SelectiveAcknowledgementPermitted),
        any::<(u32, u32)>().prop_map(|edges| SelectiveAcknowledgement(edges, [None; 3])),
        any::<(u32, u32)>().prop_map(|(val, ecr)| Timestamp(val, ecr)),
    ];
    prop_oneof![
        Just(vec![]),
        any::<(u32, u32)>().prop_map(|(val, ecr)| vec![Noop, Noop, Timestamp(val, ecr)]),
        vec(element, 0..5),
    ]
    .prop_map(|elements| TcpOptions::try_from_elements(&elements).unwrap_or_default())
}
