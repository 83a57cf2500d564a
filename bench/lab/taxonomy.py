"""The causes and sub-causes that a scenario may expect, and the wire forms of a RST."""
from __future__ import annotations

from .packets import ACK, RST, Segment, has_timestamp

CAUSES = ("benign", "closed_port", "no_connection", "firewall", "application", "network", "explicit_kill", "unknown")
"""Indexed by the group number that begins each sub-cause id."""

SUBCAUSES = {
    "0.1": "RST after both FINs", "0.2": "abort in place of FIN after a complete exchange", "0.3": "post-close tail",
    "0.4": "port-reuse recovery", "0.5": "ineffective RST", "0.6": "half-open probe",
    "1.1": "no listener", "1.2": "service down or restarting", "1.3": "scan of closed ports",
    "1.4": "virtual address without listener",
    "2.1": "half-open, state lost", "2.2": "data after the peer closed", "2.3": "after an earlier reset",
    "2.4": "late packet after silent eviction", "2.5": "late SYN-ACK", "2.6": "NAT bypass", "2.7": "backscatter",
    "3.1": "SYN rejected by a device", "3.2": "mid-stream policy reject", "3.3": "content-triggered injection",
    "3.4": "blind injection", "3.5": "no session at a stateful device", "3.6": "self-declared",
    "4.1": "close with unread data", "4.2": "abort mid-exchange", "4.3": "process crash or kill",
    "4.4": "malformed or refused request", "4.5": "overload", "4.6": "client gave up", "4.7": "handshake-layer failure",
    "5.1": "keepalive expiry", "5.2": "retransmission give-up with RST", "5.3": "silent give-up, then late packet",
    "5.4": "lost handshake packet", "5.5": "application abort during loss",
    "6.1": "host socket kill", "6.2": "tcpkill family", "6.3": "killcx family", "6.4": "idle timer with active RST",
    "6.5": "drain or failover", "6.6": "connection-tracking flush",
    "7.1": "mid-stream start", "7.2": "one direction only", "7.3": "capture gap", "7.4": "tie",
}


def cause_of(subcause: str) -> str:
    """The cause a sub-cause id belongs to."""
    if subcause not in SUBCAUSES:
        raise ValueError(f"no such sub-cause: {subcause}")
    return CAUSES[int(subcause[0])]


def form_of(rst: Segment) -> str:
    """The wire form of a RST: REPLY_R, REPLY_RA, ACTIVE_RA or ODD."""
    bare = rst.window == 0 and not rst.options and not rst.payload and rst.df and rst.ip_id == 0
    if rst.flags == RST and bare and rst.ack == 0:
        return "REPLY_R"
    if rst.flags == RST | ACK and bare and rst.seq == 0:
        return "REPLY_RA"
    if rst.flags == RST | ACK and rst.df and not rst.payload and (rst.window or has_timestamp(rst.options)):
        return "ACTIVE_RA"
    return "ODD"
