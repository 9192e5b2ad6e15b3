//! What the operator counts, as Prometheus would read it.
#![allow(clippy::missing_panics_doc, clippy::panic, reason = "only tests call this")]

use std::collections::BTreeMap;

/// What all names begin with.
const PREFIX: &str = "glm_operator_";

/// The figures of one name, summed by the values of these labels; no labels: the sum of all, under nothing.
pub fn counted(text: &str, name: &str, labels: &[&str]) -> BTreeMap<Vec<String>, u64> {
    let mut sums: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(PREFIX).and_then(|line| line.strip_prefix(name)) else { continue };
        let Some((inside, value)) = rest.trim_start_matches('{').rsplit_once(' ') else { continue };
        if !rest.starts_with(['{', ' ']) {
            // A longer name.
            continue;
        }
        let value = value.parse::<u64>().unwrap_or_else(|error| panic!("{line}: {error}"));
        *sums.entry(labels.iter().map(|label| of(inside, label).to_owned()).collect()).or_default() += value;
    }
    sums
}

/// The value of a label; empty where there is none.
fn of<'a>(labels: &'a str, label: &str) -> &'a str {
    let of_it = labels.split("\",").find_map(|pair| pair.strip_prefix(label)?.strip_prefix("=\""));
    of_it.unwrap_or_default().trim_end_matches('}').trim_end_matches('"')
}

/// How many writes were sent to the API server: all that is not a read.
pub fn writes(text: &str) -> u64 {
    let requests = counted(text, "api_requests_total", &["verb"]);
    assert!(!requests.is_empty(), "no request is counted in {text}");
    let is_write = |verb: &str| !["get", "list", "watch"].contains(&verb);
    requests.into_iter().filter(|(verb, _)| is_write(&verb[0])).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_summed_by_labels_and_reads_are_no_writes() {
        let text = "# TYPE glm_operator_api_requests counter\n\
            glm_operator_api_requests_total{verb=\"get\",resource=\"pods\",code=\"200\"} 9\n\
            glm_operator_api_requests_total{verb=\"watch\",resource=\"pods\",code=\"200\"} 2\n\
            glm_operator_api_requests_total{verb=\"create\",resource=\"pods\",code=\"201\"} 3\n\
            glm_operator_api_requests_total{verb=\"patch\",resource=\"tradingstrategies/status\",code=\"409\"} 4\n\
            glm_operator_api_requests_total_of_another{verb=\"patch\"} 100\n\
            glm_operator_events_lost_total 5\n";
        assert_eq!(writes(text), 7);
        let by_code = counted(text, "api_requests_total", &["code"]);
        let expected = [("200", 11), ("201", 3), ("409", 4)].map(|(code, count)| (vec![code.to_owned()], count));
        assert_eq!(by_code, BTreeMap::from(expected));
        assert_eq!(counted(text, "events_lost_total", &[]), BTreeMap::from([(Vec::new(), 5)]));
    }
}
