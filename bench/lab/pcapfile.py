"""Classic pcap files, nanosecond flavour, read and written whole."""
from __future__ import annotations

import struct
from pathlib import Path

Frame = tuple[int, bytes]
"""Capture time in nanoseconds since the epoch, and the frame's bytes."""

_NANO, _MICRO = 0xA1B23C4D, 0xA1B2C3D4


def read(path: Path) -> list[Frame]:
    """All frames of a little-endian pcap file."""
    data = path.read_bytes()
    magic = struct.unpack_from("<I", data)[0]
    if magic not in (_NANO, _MICRO):
        raise ValueError(f"{path}: not a little-endian pcap file")
    unit = 1 if magic == _NANO else 1000
    frames: list[Frame] = []
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, held, _ = struct.unpack_from("<IIII", data, at)
        frames.append((seconds * 10**9 + fraction * unit, data[at + 16:at + 16 + held]))
        at += 16 + held
    return frames


def write(path: Path, frames: list[Frame]) -> None:
    """Write Ethernet frames as a nanosecond pcap file."""
    parts = [struct.pack("<IHHiIII", _NANO, 2, 4, 0, 0, 262144, 1)]
    for when, frame in frames:
        parts.append(struct.pack("<IIII", when // 10**9, when % 10**9, len(frame), len(frame)))
        parts.append(frame)
    path.write_bytes(b"".join(parts))
