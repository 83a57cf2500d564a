"""Frames as bytes: builds raw TCP segments and reads recorded ones."""
from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


@dataclass
class Segment:
    """The fields of one TCP segment that the lab needs."""

    src: str
    dst: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: bytes
    ttl: int
    ip_id: int
    df: bool
    tos: int


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def build(segment: Segment, src_mac: str, dst_mac: str) -> bytes:
    """An Ethernet frame holding `segment`, with right checksums."""
    src, dst = ipaddress.ip_address(segment.src), ipaddress.ip_address(segment.dst)
    options = segment.options + b"\0" * (-len(segment.options) % 4)
    length = 20 + len(options) + len(segment.payload)
    header = struct.pack("!HHIIBBHHH", segment.sport, segment.dport, segment.seq & 0xFFFFFFFF,
                         segment.ack & 0xFFFFFFFF, (20 + len(options)) // 4 << 4, segment.flags,
                         segment.window, 0, 0)
    tcp = header + options + segment.payload
    pseudo = src.packed + dst.packed + (struct.pack("!BBH", 0, 6, length) if src.version == 4
                                        else struct.pack("!IHBB", length, 0, 0, 6))
    tcp = tcp[:16] + struct.pack("!H", _checksum(pseudo + tcp)) + tcp[18:]
    if src.version == 4:
        network = struct.pack("!BBHHHBBH", 0x45, segment.tos, 20 + length, segment.ip_id,
                              0x4000 if segment.df else 0, segment.ttl, 6, 0) + src.packed + dst.packed
        network = network[:10] + struct.pack("!H", _checksum(network)) + network[12:]
        ether_type = 0x0800
    else:
        network = struct.pack("!IHBB", 6 << 28 | segment.tos << 20, length, 6, segment.ttl) + src.packed + dst.packed
        ether_type = 0x86DD
    macs = bytes.fromhex((dst_mac + src_mac).replace(":", ""))
    return macs + struct.pack("!H", ether_type) + network + tcp


def parse(frame: bytes) -> Segment | None:
    """The TCP segment in an Ethernet frame, or None if it holds none."""
    if len(frame) < 54:
        return None
    ether_type = frame[12] << 8 | frame[13]
    if ether_type == 0x0800 and frame[14] >> 4 == 4 and frame[23] == 6:
        ihl = (frame[14] & 15) * 4
        tos, total, ip_id, fragment, ttl = struct.unpack_from("!xBHHHB", frame, 14)
        src, dst = str(ipaddress.IPv4Address(frame[26:30])), str(ipaddress.IPv4Address(frame[30:34]))
        tcp, end, df = 14 + ihl, 14 + total, bool(fragment & 0x4000)
    elif ether_type == 0x86DD and frame[20] == 6:
        word, length, _, ttl = struct.unpack_from("!IHBB", frame, 14)
        tos, ip_id, df = word >> 20 & 255, 0, True
        src, dst = str(ipaddress.IPv6Address(frame[22:38])), str(ipaddress.IPv6Address(frame[38:54]))
        tcp, end = 54, 54 + length
    else:
        return None
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", frame, tcp)
    data = tcp + (offset >> 4) * 4
    return Segment(src, dst, sport, dport, seq, ack, flags, window, frame[tcp + 20:data], frame[data:end],
                   ttl, ip_id, df, tos)


def has_timestamp(options: bytes) -> bool:
    """True if the option bytes hold a TCP time stamp (RFC 7323)."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == 0:
            return False
        if kind == 1:
            at += 1
            continue
        if kind == 8:
            return True
        if at + 1 >= len(options) or options[at + 1] < 2:
            return False
        at += options[at + 1]
    return False
