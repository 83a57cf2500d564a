//! The judge in plain words: what each fact, each sub-cause and each open question means.
//!
//! [`fact`] says what a fact is and where that knowledge comes from, [`reading`] what one value of
//! it says and for or against which sub-causes it argues, [`subcause`] what a sub-cause means and
//! how it would show, [`author`] whose hand it claims. The readings explain a verdict afterwards; they do not make it. The rules do,
//! by whole patterns, so a verdict may stand although a single reading argues against it, and a
//! person should see that.

pub mod author;
pub mod fact;
pub mod reading;
pub mod subcause;

/// What an open question was, by its name in [`super::surroundings::Unknowns::names`]; `None` for
/// names that do not occur there.
#[must_use]
pub fn unknown(name: &str) -> Option<&'static str> {
    Some(match name {
        "service_alive" => {
            "Whether the service accepts other connections: what other connections showed was not \
             weighed for a reset of this form. A living service speaks against a closed port."
        }
        "host_baseline" => {
            "How the host's answers on other connections look (time to live, response time): none \
             were seen, or they were not weighed for a reset of this form."
        }
        "cohort" => {
            "Whether other connections ended at the same moment: that is asked only where a host \
             ended its connection and no packet had just asked for it."
        }
        "source_scan" => {
            "Whether the source tries many ports: its other attempts were not weighed for a reset \
             of this form."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::unknown;
    use crate::judge::surroundings::Unknowns;

    #[test]
    fn every_open_question_has_words() {
        let all = Unknowns::SERVICE.and(Unknowns::HOST).and(Unknowns::COHORT).and(Unknowns::SOURCE);
        assert_eq!(all.names().count(), 4);
        for name in all.names() {
            assert!(unknown(name).is_some(), "{name}");
        }
        assert_eq!(unknown("weather"), None);
    }
}
