//! Clients that mean no good, or are in no hurry: each gets little, and nobody else notices.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::SocketAddr;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fed::{feed, server};
use crate::http_client::{Response, connect, exchange, get, request};

fn ask(to: SocketAddr, line: &str, headers: &str) -> Response {
    request(to, line, headers, "")
}

#[test]
fn only_who_asks_for_this_machine_is_answered_at_a_loopback_address() {
    let (_server, address) = server();
    let port = address.port();
    for (headers, want) in [
        (format!("Host: 127.0.0.1:{port}\r\n"), 200),
        (format!("Host: LOCALHOST:{port}\r\n"), 200),
        ("Host: [::1]\r\n".to_owned(), 200),
        ("Host: 127.9.9.9\r\n".to_owned(), 200),
        ("Host: evil.example\r\n".to_owned(), 421),
        (format!("Host: localhost.evil.example:{port}\r\n"), 421),
        ("Host: 127.0.0.1.evil.example\r\n".to_owned(), 421),
        ("Host: 192.0.2.1\r\n".to_owned(), 421),
        ("Host: \r\n".to_owned(), 421),
        (String::new(), 421),
        ("Host: localhost\r\nHost: evil.example\r\n".to_owned(), 421),
        ("Host: localhost\r\nSec-Fetch-Site: same-origin\r\n".to_owned(), 200),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n".to_owned(), 403),
    ] {
        for path in ["/metrics", "/health", "/page.js"] {
            let response = ask(address, &format!("GET {path}"), &headers);
            assert_eq!(response.status, want, "{path}: {headers}");
        }
    }
    let absolute = ask(address, "GET http://evil.example/metrics", "Host: localhost\r\n");
    assert_eq!(absolute.status, 421);
}

#[test]
fn requests_for_anything_else_are_refused_and_every_answer_is_guarded() {
    let (_server, address) = server();
    let local = format!("Host: {address}\r\n");
    for (line, want) in [
        ("GET /", 200),
        ("HEAD /events", 200),
        ("HEAD /metrics", 200),
        ("GET /events/", 404),
        ("GET /../page.js", 404),
        ("GET /%2e%2e/etc/passwd", 404),
        ("GET /page.rs", 404),
        ("POST /metrics", 405),
        ("DELETE /", 405),
        ("OPTIONS *", 405),
    ] {
        let response = ask(address, line, &local);
        assert_eq!(response.status, want, "{line}");
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn the_page_asks_no_other_server_for_anything() {
    let (_server, address) = server();
    for path in [
        "/",
        "/page.css",
        "/page.js",
        "/chart.js",
        "/resets.js",
        "/sums.js",
        "/words.js",
        "/icon.svg",
    ] {
        let text = get(address, path).body.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.is_empty() && !text.contains("//cdn"), "{path}");
        assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!text.contains(word), "{path} would let text become markup: {word}");
        }
    }
}

#[test]
fn garbage_of_any_kind_is_survived() {
    let (_server, address) = server();
    let mut runner =
        TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let line = prop_oneof![
        Just(b"GET /metrics HTTP/1.1\r\n".to_vec()),
        Just(b"GET /events HTTP/1.1\r\nHost: localhost\r\n".to_vec()),
        Just(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_vec()
        ),
        Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        Just(b"\x16\x03\x01\x02\x00".to_vec()),
        Just(Vec::new()),
    ];
    let garbage = (line, proptest::collection::vec(any::<u8>(), 0..600));
    let answered = Cell::new(0);
    let sent = runner.run(&garbage, |(line, noise)| {
        let mut stream = connect(address);
        // The server may have had enough before all of it is written.
        let _ = stream.write_all(&line).and_then(|()| stream.write_all(&noise));
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).is_ok() {
            prop_assert!(answer.starts_with(b"HTTP/1."), "{:?}", answer);
            answered.set(answered.get() + 1);
        }
        Ok(())
    });
    sent.unwrap();
    assert!(answered.get() > 100, "most were told what is wrong: {answered:?}");
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "a: b\r\n".repeat(1000));
    for (what, request) in [("a long line", long), ("many headers", many)] {
        let answer = exchange(address, request.as_bytes());
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
    }
    assert_eq!(get(address, "/health").status, 200, "and it is still there");
}

#[test]
fn idle_connections_and_pages_that_read_nothing_keep_nobody_out() {
    let (server, address) = server();
    let request = format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let pages: Vec<_> = (0..20)
        .map(|_| {
            let mut page = connect(address);
            page.write_all(request.as_bytes()).unwrap();
            let mut status = [0; 12];
            page.read_exact(&mut status).unwrap();
            (page, String::from_utf8_lossy(&status).into_owned())
        })
        .collect();
    let served = pages.iter().filter(|(_, status)| status == "HTTP/1.1 200").count();
    assert_eq!(served, 16, "the rest is told to come again");
    let outcome = feed(&server);
    let summaries = outcome.summaries().len();
    assert!(get(address, "/metrics").body.contains("resetscope_live_pages 16\n"));
    // Connections that say nothing take the other places, until they are closed one by one.
    let silent: Vec<_> = (0..100).map(|_| connect(address)).collect();
    drop(silent);
    let text = format!("resetscope_intervals_total {summaries}\n");
    let mut answer = Vec::new();
    while answer.is_empty() {
        answer = exchange(
            address,
            format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes(),
        );
    }
    assert!(String::from_utf8_lossy(&answer).contains(&text), "nobody waited for those pages");
    // Ends at once, whoever still hangs on.
    drop(server);
    assert!(std::net::TcpStream::connect(address).is_err(), "the port is closed");
}
