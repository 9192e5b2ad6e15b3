//! Each metric is moved by what it is for, by the expected amount, while all others stand still. Read as Prometheus
//! reads it: from the text that the admin address serves.

mod faults;
mod fleet;
mod requests;

use std::collections::{BTreeMap, BTreeSet};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;

use super::serve::routes;
use super::{ALL, Metrics, Outcome, PREFIX, Path};

/// What a path of the admin address answers.
async fn ask(metrics: &Metrics, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = routes(metrics.clone()).oneshot(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Every figure by name and labels, but for times, which nobody can foretell.
async fn figures(metrics: &Metrics) -> BTreeMap<String, f64> {
    let (status, text) = ask(metrics, "/metrics").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let figures = samples.map(|line| line.rsplit_once(' ').unwrap());
    let figures = figures.filter(|(name, _)| !name.contains("_seconds_sum") && !name.contains("_seconds_bucket"));
    figures.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

/// Watches what moves.
struct Moves<'a> {
    metrics: &'a Metrics,
    before: BTreeMap<String, f64>,
}

impl<'a> Moves<'a> {
    async fn from_now(metrics: &'a Metrics) -> Self {
        Self { metrics, before: figures(metrics).await }
    }

    /// These and no others have moved since, by so much; counts from here again.
    #[track_caller]
    fn are(&mut self, now: BTreeMap<String, f64>, expected: &[(&str, f64)]) {
        let of = |figures: &BTreeMap<String, f64>, name| figures.get(name).copied().unwrap_or(0.0);
        let names: BTreeSet<&String> = self.before.keys().chain(now.keys()).collect();
        let moved = names.into_iter().map(|name| (name.as_str(), of(&now, name) - of(&self.before, name)));
        let moved: BTreeMap<&str, f64> = moved.filter(|(_, by)| *by != 0.0).collect();
        let expected: Vec<(String, f64)> =
            expected.iter().map(|(name, by)| (format!("{PREFIX}_{name}"), *by)).collect();
        let expected: BTreeMap<&str, f64> = expected.iter().map(|(name, by)| (name.as_str(), *by)).collect();
        assert_eq!(moved, expected);
        self.before = now;
    }
}

/// `moves.are(figures(metrics), …)`, told at the caller's line.
macro_rules! assert_moved {
    ($moves:expr, $($expected:tt)*) => {{
        let now = $crate::metrics::tests::figures($moves.metrics).await;
        $moves.are(now, &[$($expected)*]);
    }};
}
use assert_moved;

#[tokio::test]
async fn every_metric_of_the_page_is_served_with_its_type_and_meaning_and_no_other_is() {
    let metrics = Metrics::default();
    // One that has never moved under any label has no line.
    let _caches = fleet::stand(&metrics);
    metrics.watch_failed("pods", "desk", "forbidden".to_owned());
    metrics.reconciles.get_or_create(&Outcome { kind: "Feed", outcome: "Done" }).inc();
    metrics.durations.get_or_create(&Path { kind: "Feed", path: "whole" }).observe(1.0);
    faults::ask_nobody(&metrics).await;
    requests::ask_nobody(&metrics).await;
    let (_, text) = ask(&metrics, "/metrics").await;
    let served = |comment: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("# {comment} ")));
        lines.map(|line| line.trim_end_matches('.').to_owned()).collect()
    };
    // A counter's comments bear its name without the suffix.
    let name = |full: String| full.strip_suffix("_total").unwrap_or(&full).to_owned();
    let types = ALL.iter().map(|one| format!("{} {}", name(one.full_name()), one.type_.as_str()));
    assert_eq!(served("TYPE"), types.collect());
    let meanings = ALL.iter().map(|one| format!("{} {}", name(one.full_name()), one.meaning));
    assert_eq!(served("HELP"), meanings.collect());
    assert_labelled(&figures(&metrics).await);
}

/// The labels of a figure, by name.
fn labels(figure: &str) -> Vec<&str> {
    let inside = figure.split_once('{').map(|(_, rest)| rest.trim_end_matches('}')).unwrap_or_default();
    inside.split("\",").filter_map(|pair| Some(pair.split_once("=\"")?.0)).collect()
}

/// A figure stands under the labels that the page names.
fn assert_labelled(figures: &BTreeMap<String, f64>) {
    for figure in figures.keys() {
        let name = figure.split('{').next().unwrap_or_default().trim_end_matches("_count");
        let of_it = ALL.iter().find(|one| one.full_name() == name).unwrap_or_else(|| panic!("{name} has no entry"));
        assert_eq!(labels(figure), of_it.labels, "{figure}");
    }
}
