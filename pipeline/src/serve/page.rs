//! The live page: everything it needs is in the program.

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
pub(super) struct Asset {
    /// What the browser takes it for.
    pub(super) kind: &'static str,
    /// Its contents.
    pub(super) text: &'static str,
}

/// The file at this path.
pub(super) fn asset(path: &str) -> Option<Asset> {
    let (kind, text) = match path {
        "/" => ("text/html; charset=utf-8", include_str!("page/index.html")),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page/page.css")),
        "/page.js" => (SCRIPT, include_str!("page/page.js")),
        "/chart.js" => (SCRIPT, include_str!("page/chart.js")),
        "/resets.js" => (SCRIPT, include_str!("page/resets.js")),
        "/sums.js" => (SCRIPT, include_str!("page/sums.js")),
        "/words.js" => (SCRIPT, include_str!("page/words.js")),
        "/icon.svg" => ("image/svg+xml", include_str!("page/icon.svg")),
        _ => return None,
    };
    Some(Asset { kind, text })
}

/// What the page may do: run its own script, use its own style, listen to its own server, and
/// nothing else. No text of the traffic can become any of these.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
