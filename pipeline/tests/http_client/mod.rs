//! As much of an HTTP client as tests need: one request a connection.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// No test waits longer than this for a server.
const PATIENCE: Duration = Duration::from_secs(20);

/// A response.
pub(crate) struct Response {
    /// Its code.
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    /// What follows, as it came.
    pub(crate) body: String,
}

impl Response {
    /// The header of this name, which is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

/// Opens a connection that does not wait for ever.
pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends these bytes and reads until the other side closes, or has sent as much as it said it would.
/// What a broken connection had said before counts.
pub(crate) fn exchange(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(to);
    let mut answer = Vec::new();
    if stream.write_all(bytes).is_err() {
        return answer;
    }
    let mut part = [0; 1 << 16];
    while !is_complete(&answer) {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("it does not end"),
            Err(_) => break,
        }
    }
    answer
}

fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| answer.len() >= head.len() + 4 + length)
}

/// Sends a request with these headers, each with its line end.
pub(crate) fn request(to: SocketAddr, line: &str, headers: &str, body: &str) -> Response {
    let text = format!(
        "{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    let answer = String::from_utf8(exchange(to, text.as_bytes())).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{line}: {answer}"));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { joined(body) } else { body.to_owned() };
    Response { status: status.unwrap(), head: head.to_owned(), body }
}

/// A body that came in chunks, in one (RFC 9112, section 7.1).
fn joined(mut chunks: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let (chunk, rest) = rest.split_at(usize::from_str_radix(size, 16).unwrap());
        whole.push_str(chunk);
        chunks = rest.trim_start_matches("\r\n");
    }
    whole
}

/// Gets a page as a browser on the same machine would.
pub(crate) fn get(to: SocketAddr, path: &str) -> Response {
    request(to, &format!("GET {path}"), &format!("Host: {to}\r\n"), "")
}
