//! Traffic with known resets, made by real sockets of the kernel.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::net::{CLIENT, NOBODY, Net, SERVER};

const CLOSED_PORT: u16 = 81;

/// What a connection comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nobody listens.
    Refused,
    /// The client closes with a linger time of zero.
    Aborted,
    /// The server closes with data that it has not read.
    Unread,
    /// Both close in peace: no reset.
    Closed,
}

/// Makes `count` connections of each kind from the client to the server, and returns how many
/// resets there were.
pub(crate) fn connections(net: &Net, count: usize) -> u64 {
    let listener = net.on_server(|| TcpListener::bind(address(SERVER, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    for _ in 0..count {
        for end in [End::Refused, End::Aborted, End::Unread, End::Closed] {
            connection(net, &listener, port, end);
        }
    }
    3 * count as u64
}

fn address(of: [u8; 4], port: u16) -> SocketAddr {
    (Ipv4Addr::from(of), port).into()
}

fn connection(net: &Net, listener: &TcpListener, port: u16, end: End) {
    let connect = |port| net.on_client(move || TcpStream::connect(address(SERVER, port)));
    if end == End::Refused {
        assert!(connect(CLOSED_PORT).is_err());
        return;
    }
    let mut client = connect(port).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"question").unwrap();
    let mut read = [0; 8];
    if end != End::Unread {
        server.read_exact(&mut read).unwrap();
        server.write_all(b"answer").unwrap();
        client.read_exact(&mut read[..6]).unwrap();
    }
    match end {
        End::Refused | End::Closed => {
            drop(client);
            assert_eq!(server.read(&mut read).unwrap(), 0);
        }
        End::Aborted => {
            set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
            drop(client);
            assert!(server.read(&mut read).is_err(), "the reset has arrived");
        }
        End::Unread => {
            // There is something to leave unread.
            server.peek(&mut read).unwrap();
            drop(server);
            assert!(client.read(&mut read).is_err(), "the reset has arrived");
        }
    }
}

/// Sends a datagram with this text to an address that nobody has: nothing comes back.
pub(crate) fn datagrams(net: &Net, text: &[u8], count: usize) {
    let socket = net.on_client(|| UdpSocket::bind(address(CLIENT, 0)).unwrap());
    for _ in 0..count {
        socket.send_to(text, address(NOBODY, 9)).unwrap();
    }
}
