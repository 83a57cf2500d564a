//! The closed list of causes and sub-causes, with the names and ids that reports use.

/// Why a connection was reset, first level.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Nobody listens there.
    ClosedPort,
    /// A packet for a connection that never existed, is half-open, or was already closed,
    /// timed out or reset.
    NoConnection,
    /// A middlebox refuses by policy or injects a reset.
    Firewall,
    /// A program aborts.
    Application,
    /// Loss and instability: retransmissions fail, timers give up.
    Network,
    /// An administrator or a tool ends a connection on purpose.
    ExplicitKill,
    /// Not a failure: the exchange was complete.
    Benign,
    /// The packets do not tell.
    Unknown,
}

impl Cause {
    /// Every cause, in the order of the counters.
    pub const ALL: [Self; 8] = [
        Self::ClosedPort,
        Self::NoConnection,
        Self::Firewall,
        Self::Application,
        Self::Network,
        Self::ExplicitKill,
        Self::Benign,
        Self::Unknown,
    ];

    /// The cause's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClosedPort => "closed_port",
            Self::NoConnection => "no_connection",
            Self::Firewall => "firewall",
            Self::Application => "application",
            Self::Network => "network",
            Self::ExplicitKill => "explicit_kill",
            Self::Benign => "benign",
            Self::Unknown => "unknown",
        }
    }
}

macro_rules! subcauses {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $name:literal, $cause:ident;)*) => {
        /// Why a connection was reset, second level.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Subcause {
            $($(#[$doc])* $variant,)*
        }

        impl Subcause {
            /// Every sub-cause, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The id in reports, such as `2.1`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The cause it belongs to.
            #[must_use]
            pub const fn cause(self) -> Cause {
                match self { $(Self::$variant => Cause::$cause,)* }
            }
        }
    };
}

subcauses! {
    /// Both sides had sent their FIN before the reset.
    AfterClose = "0.1", "after_close", Benign;
    /// A reset in place of a FIN, after everything was delivered.
    AbortAfterExchange = "0.2", "abort_after_exchange", Benign;
    /// The resetting side had closed; what still arrived from the peer was on its way already.
    LateSegmentAfterClose = "0.3", "late_segment_after_close", Benign;
    /// The 5-tuple was used again over an old connection.
    PortReuse = "0.4", "port_reuse", Benign;
    /// The receiver did not accept the reset.
    Ineffective = "0.5", "ineffective", Benign;
    /// The initiator reset its own half-open connection: a port probe or health check.
    HalfOpenProbe = "0.6", "half_open_probe", Benign;
    /// No program listens on the port.
    NoListener = "1.1", "no_listener", ClosedPort;
    /// The service was there before and is not now.
    ServiceDown = "1.2", "service_down", ClosedPort;
    /// One of many closed ports that one source tried.
    PortScan = "1.3", "port_scan", ClosedPort;
    /// A virtual address without a listener or pool member behind it.
    NoBackend = "1.4", "no_backend", ClosedPort;
    /// One side had lost its state, or never had any.
    HalfOpen = "2.1", "half_open", NoConnection;
    /// The peer went on sending after the other side had closed.
    DataAfterClose = "2.2", "data_after_close", NoConnection;
    /// Packets for a connection that an earlier reset had ended.
    AfterReset = "2.3", "after_reset", NoConnection;
    /// A device in the path had forgotten an idle connection.
    IdleStateLost = "2.4", "idle_state_lost", NoConnection;
    /// The SYN-ACK came after the initiator had given up, or answered an old SYN.
    LateSynAck = "2.5", "late_syn_ack", NoConnection;
    /// A packet passed an address translator untranslated.
    NatBypass = "2.6", "nat_bypass", NoConnection;
    /// An answer to a packet that somebody forged.
    Backscatter = "2.7", "backscatter", NoConnection;
    /// A device refused the SYN.
    SynRejected = "3.1", "syn_rejected", Firewall;
    /// A device refused a packet of a running connection.
    MidstreamReject = "3.2", "midstream_reject", Firewall;
    /// A third party forged the reset, most often because of what the payload said.
    Injection = "3.3", "injection", Firewall;
    /// A third party guessed sequence numbers.
    BlindInjection = "3.4", "blind_injection", Firewall;
    /// A stateful device had no session for the packet.
    NoSession = "3.5", "no_session", Firewall;
    /// The reset carries text in which a device names itself.
    SelfDeclared = "3.6", "self_declared", Firewall;
    /// The program closed with received data unread.
    UnreadData = "4.1", "unread_data", Application;
    /// The program aborted in mid-exchange (`SO_LINGER` 0).
    Abort = "4.2", "abort", Application;
    /// The process ended and its connections with it.
    ProcessExit = "4.3", "process_exit", Application;
    /// The program refused what it was asked.
    RefusedRequest = "4.4", "refused_request", Application;
    /// The service could not take the connection on.
    Overload = "4.5", "overload", Application;
    /// The client did not want the response any more.
    ClientGaveUp = "4.6", "client_gave_up", Application;
    /// The TLS handshake failed.
    TlsFailure = "4.7", "tls_failure", Application;
    /// Keepalive probes were not answered.
    KeepaliveExpired = "5.1", "keepalive_expired", Network;
    /// Retransmissions were not answered and the sender said so.
    RetransmissionGaveUp = "5.2", "retransmission_gave_up", Network;
    /// Retransmissions were not answered; a later packet met a forgotten connection.
    SilentGiveUp = "5.3", "silent_give_up", Network;
    /// The handshake lost packets.
    HandshakeLoss = "5.4", "handshake_loss", Network;
    /// The program gave up while the path was losing packets.
    AbortDuringLoss = "5.5", "abort_during_loss", Network;
    /// A tool or administrator ended the socket on its host.
    SocketKill = "6.1", "socket_kill", ExplicitKill;
    /// The pattern of dsniff's tcpkill and its relatives.
    Tcpkill = "6.2", "tcpkill", ExplicitKill;
    /// The pattern of killcx: a forged SYN provokes the numbers that the resets need.
    Killcx = "6.3", "killcx", ExplicitKill;
    /// A device's idle timer reset both sides.
    IdleTimer = "6.4", "idle_timer", ExplicitKill;
    /// A pool member was drained or failed over.
    Drain = "6.5", "drain", ExplicitKill;
    /// A device's state table was flushed.
    NatFlush = "6.6", "nat_flush", ExplicitKill;
    /// The capture began inside the connection and shows too little of it.
    Midstream = "7.1", "midstream", Unknown;
    /// Only one direction was captured.
    OneWay = "7.2", "one_way", Unknown;
    /// The capture lacks packets around the reset.
    CaptureGap = "7.3", "capture_gap", Unknown;
    /// Several causes fit equally well.
    Tie = "7.4", "tie", Unknown;
}

/// A sub-cause and how sure the judge is of it, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The sub-cause.
    pub subcause: Subcause,
    /// How often such verdicts are right, in percent.
    pub percent: u8,
}

/// The most alternatives that a verdict names.
pub const ALTERNATIVES_MAX: usize = 3;

/// What the judge concludes: one claim, and what else it may have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The conclusion.
    pub claim: Claim,
    /// Other explanations, most likely first.
    pub alternatives: [Option<Claim>; ALTERNATIVES_MAX],
}

impl Verdict {
    /// A verdict without alternatives.
    #[must_use]
    pub const fn new(subcause: Subcause, percent: u8) -> Self {
        Self { claim: Claim { subcause, percent }, alternatives: [None; ALTERNATIVES_MAX] }
    }

    /// Adds an alternative; beyond [`ALTERNATIVES_MAX`] they are not kept.
    #[must_use]
    pub fn or(mut self, subcause: Subcause, percent: u8) -> Self {
        if let Some(free) = self.alternatives.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(Claim { subcause, percent });
        }
        self
    }

    /// Scales the alternatives down so that all confidences together stay within 100 %.
    #[must_use]
    pub fn within_whole(mut self) -> Self {
        let room = 100 - u16::from(self.claim.percent.min(99));
        let asked: u16 = self.alternatives.iter().flatten().map(|c| u16::from(c.percent)).sum();
        if asked > room {
            let mut left = room;
            for claim in self.alternatives.iter_mut().flatten() {
                let scaled = (u16::from(claim.percent) * room / asked).clamp(1, left.max(1));
                claim.percent = u8::try_from(scaled).unwrap_or(1);
                left = left.saturating_sub(scaled);
            }
        }
        self
    }

    /// Lowers the confidence to at most `percent`.
    #[must_use]
    pub const fn at_most(mut self, percent: u8) -> Self {
        if self.claim.percent > percent {
            self.claim.percent = percent;
        }
        self
    }
}
