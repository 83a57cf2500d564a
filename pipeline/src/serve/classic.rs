//! The text format that Prometheus had before OpenMetrics, version 0.0.4, for readers that ask for no
//! other.
//!
//! The sample lines are the same. What differs: counters and information carry their suffix in the
//! description too, information is a gauge, and there is neither a unit nor an end mark.

/// OpenMetrics text in the older dialect.
pub(super) fn text(openmetrics: &str) -> String {
    let mut out = String::with_capacity(openmetrics.len());
    // The description comes before the type that decides about its name.
    let mut help = "";
    for line in openmetrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(_), Some(text)) => help = text,
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    other => ("", other),
                };
                let text = [
                    "# HELP ",
                    name,
                    suffix,
                    " ",
                    help,
                    "\n# TYPE ",
                    name,
                    suffix,
                    " ",
                    kind,
                    "\n",
                ];
                out.extend(text);
            }
            (Some("#"), ..) => {}
            _ => out.extend([line, "\n"]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_descriptions_change() {
        let openmetrics = "# HELP a_seconds Some words.\n# TYPE a_seconds counter\n\
            # UNIT a_seconds seconds\na_seconds_total{of=\"# HELP\"} 3\n\
            # HELP b Its version.\n# TYPE b info\nb_info{v=\"1\"} 1\n\
            # HELP c Time.\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 0\n# EOF\n";
        assert_eq!(
            super::text(openmetrics),
            "# HELP a_seconds_total Some words.\n# TYPE a_seconds_total counter\n\
             a_seconds_total{of=\"# HELP\"} 3\n\
             # HELP b_info Its version.\n# TYPE b_info gauge\nb_info{v=\"1\"} 1\n\
             # HELP c Time.\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 0\n"
        );
    }
}
