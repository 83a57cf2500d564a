//! Who gets what.

use std::net::IpAddr;

use bytes::Bytes;
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName,
    HeaderValue, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, Response, StatusCode};

use super::body::Body;
use super::bound::Face;
use super::hub::Hub;
use super::{classic, openmetrics, page, stream};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const EVENTS: &str = "text/event-stream";

/// The response to a request that came in through `face`.
pub(super) fn answer(parts: &Parts, face: Face, hub: &Hub) -> Response<Body> {
    let mut response = match refusal(parts, face) {
        Some((status, reason)) => plain(status, reason),
        None => found(parts, face, hub),
    };
    let status = response.status();
    let headers = response.headers_mut();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, page::POLICY),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a request is not looked at any further.
fn refusal(parts: &Parts, face: Face) -> Option<(StatusCode, &'static str)> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "there is nothing to change here\n"));
    }
    // A page of elsewhere could have its own name resolve to this machine and then read all of this
    // through the browser of someone who is allowed to: but its name stays in the request.
    if face.local && !is_asked_locally(parts) {
        let reason = "this address answers to localhost, 127.0.0.1 and [::1] only\n";
        return Some((StatusCode::MISDIRECTED_REQUEST, reason));
    }
    // Such a page cannot read what it asks for under the true name, but it could take all places.
    let from = parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if from == Some(b"cross-site") && parts.uri.path() != "/" {
        return Some((StatusCode::FORBIDDEN, "not for pages of elsewhere\n"));
    }
    None
}

fn is_asked_locally(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let named = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let in_target = parts.uri.authority().is_none_or(is_local);
    in_target && named.is_some_and(|named| is_local(&named))
}

fn is_local(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

fn found(parts: &Parts, face: Face, hub: &Hub) -> Response<Body> {
    let path = parts.uri.path();
    match path {
        "/health" => plain(StatusCode::OK, "alive\n"),
        "/ready" => match hub.readiness() {
            (true, _) => plain(StatusCode::OK, "ready\n"),
            (false, said) if said.is_empty() => {
                plain(StatusCode::SERVICE_UNAVAILABLE, "not listening yet\n")
            }
            (false, said) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{said}\n")),
        },
        "/metrics" if face.metrics => metrics(&parts.headers, hub),
        "/events" if face.page && parts.method == Method::HEAD => {
            response(StatusCode::OK, EVENTS, Bytes::new())
        }
        "/events" if face.page => events(hub),
        _ => match page::asset(path).filter(|_| face.page) {
            Some(asset) => response(StatusCode::OK, asset.kind, asset.text),
            None => plain(StatusCode::NOT_FOUND, face.directory()),
        },
    }
}

fn metrics(headers: &HeaderMap, hub: &Hub) -> Response<Body> {
    let text = openmetrics::text(&hub.scrape());
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.any(|value| value.contains("application/openmetrics-text")) {
        response(StatusCode::OK, OPENMETRICS, text)
    } else {
        response(StatusCode::OK, CLASSIC, classic::text(&text))
    }
}

fn events(hub: &Hub) -> Response<Body> {
    match hub.join(|listening, said| stream::hello(hub, listening, said)) {
        Some((begin, next)) => {
            let mut response = response(StatusCode::OK, EVENTS, Bytes::new());
            *response.body_mut() = Body::stream(begin, next);
            response
        }
        None => {
            let mut response = plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many pages are open; try again later\n",
            );
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
            response
        }
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    response(status, PLAIN, text)
}

fn response(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Some(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
