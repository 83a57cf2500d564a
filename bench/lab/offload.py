"""Turns off the offloads that would make a recorded segment differ from a sent one."""
from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
# ETHTOOL_S*: receive checksum, transmit checksum, scatter-gather, TSO, GSO, GRO.
_COMMANDS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)


def turn_off(interface: str) -> None:
    """Switch segmentation, coalescing and checksum offload off on `interface`.

    Must be called inside the interface's namespace. A driver that lacks one of
    the offloads says so with EOPNOTSUPP, which is just as good.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _COMMANDS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(control, _SIOCETHTOOL, request)
            except OSError as error:
                if error.errno not in (95, 22):
                    raise
