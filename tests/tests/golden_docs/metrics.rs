//! The pages of the operator's metrics hold each one that it serves, and no other.
//!
//! `UPDATE=1` writes their tables anew; a meaning in another language stays as it is, and a new one is to be written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use operator::metrics::ALL;

use crate::page::{is_chinese, read, repository, sections};

const PAGES: [&str; 2] = ["docs/metrics.md", "docs/zh/metrics.md"];
/// What a table begins with.
const RULE: &str = "|---|---|---|\n";

/// A page with these rows in the place of those of its table.
fn with_rows(page: &str, rows: &str) -> String {
    let (head, rest) = page.split_once(RULE).expect("the page has a table");
    let after: Vec<&str> = rest.split_inclusive('\n').skip_while(|line| line.starts_with('|')).collect();
    format!("{head}{RULE}{rows}{}", after.concat())
}

#[test]
fn the_pages_hold_the_metrics_that_the_operator_serves() {
    for page in PAGES {
        let text = read(page);
        let written: BTreeMap<String, String> = sections(&text)
            .into_iter()
            .flat_map(|section| section.rows)
            .filter_map(|row| Some((row.first()?.clone(), row.get(2)?.clone())))
            .collect();
        let mut rows = String::new();
        for one in &ALL {
            let labels = if one.labels.is_empty() { String::new() } else { format!("{{{}}}", one.labels.join(",")) };
            let name = format!("`{}{labels}`", one.full_name());
            let meaning = if page.contains("/zh/") {
                written.get(&name).cloned().unwrap_or_default()
            } else {
                one.meaning.to_owned()
            };
            writeln!(rows, "| {name} | {} | {meaning} |", one.type_.as_str()).expect("text can be written to");
        }
        let wanted = with_rows(&text, &rows);
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            fs::write(repository().join(page), &wanted).expect("write the page");
        }
        assert!(
            read(page) == wanted,
            "{page} is out of step; run with UPDATE=1 and read the difference. Now:\n{wanted}"
        );
        for line in wanted.lines().filter(|line| line.starts_with("| `") && page.contains("/zh/")) {
            assert!(is_chinese(line), "{page} does not say in Chinese what this is: {line}");
        }
    }
}
