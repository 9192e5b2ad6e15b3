//! Names and figures in the documents: tests, files, links, memory.

use std::collections::BTreeSet;
use std::path::Path;

use crate::page::{READMES, files, prose, quoted, read, repository};

/// Pages whose links and names are looked at.
const PAGES: [&str; 11] = [
    "ARCHITECTURE.md",
    "README.md",
    "README.zh.md",
    "charts/glm/README.md",
    "docs/metrics.md",
    "docs/process-strategies.md",
    "docs/reasons.md",
    "docs/upgrading.md",
    "docs/zh/metrics.md",
    "docs/zh/process-strategies.md",
    "docs/zh/reasons.md",
];

/// `a_{b,c}_d` as `a_b_d` and `a_c_d`.
fn spread(name: &str) -> Vec<String> {
    let parts = name.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    match parts {
        Some((head, (middle, tail))) => middle.split(',').map(|part| format!("{head}{part}{tail}")).collect(),
        None => vec![name.to_owned()],
    }
}

/// Whether a word is named as tests are: several words in one.
fn is_test_name(word: &str) -> bool {
    word.matches('_').count() >= 2 && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

#[test]
fn the_architecture_names_tests_and_files_that_exist() {
    let sources = ["crds", "operator", "tests", "worker"].map(|folder| files(folder, ".rs")).concat();
    let text: String = sources.iter().map(|path| read(path)).collect();
    let named = quoted(&prose(&read("ARCHITECTURE.md"))).iter().flat_map(|word| spread(word)).collect::<Vec<_>>();
    let tests: Vec<_> = named.iter().filter(|word| is_test_name(word)).collect();
    assert!(tests.len() > 20, "{tests:?}");
    for test in tests {
        // A test by itself, or one that a macro makes.
        let there =
            [format!("fn {test}("), format!("{test} =>"), format!("{test}:")].iter().any(|is| text.contains(is));
        assert!(there, "there is no test {test}");
    }
    let is_file = |word: &&String| word.contains('/') && Path::new(word).extension().is_some_and(|end| end == "rs");
    let paths: BTreeSet<&String> = named.iter().filter(is_file).collect();
    assert!(paths.len() > 5, "{paths:?}");
    for path in paths {
        let there = sources.iter().any(|source| source == path || source.ends_with(&format!("/{path}")));
        assert!(there, "there is no file {path}");
    }
}

#[test]
fn each_link_leads_somewhere() {
    for page in PAGES {
        let folder = repository().join(page).parent().expect("a page lies in a folder").to_owned();
        let text = prose(&read(page));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            assert!(!file.contains("://"), "{page}: {link} leads out of the repository");
            assert!(file.is_empty() || folder.join(file).exists(), "{page}: {link} leads nowhere");
            // As hosts of repositories make them: lower case, blanks as hyphens.
            let other = if file.is_empty() || anchor.is_empty() {
                String::new()
            } else {
                std::fs::read_to_string(folder.join(file)).expect("a page is text")
            };
            let target = if file.is_empty() { &text } else { &other };
            let headings = target.lines().filter_map(|line| line.strip_prefix("## "));
            let mut anchors = headings.map(|heading| heading.to_lowercase().replace(' ', "-"));
            assert!(anchor.is_empty() || anchors.any(|heading| heading == anchor), "{page}: {link} leads nowhere");
        }
    }
}

/// What a rendering of the chart asks for, in MiB.
fn requested(rendering: &str) -> u32 {
    let text = read(rendering);
    let mut asked = false;
    let mut sum = 0;
    for line in text.lines().map(str::trim) {
        asked |= line == "requests:";
        if let Some(memory) = line.strip_prefix("memory: ").filter(|_| asked) {
            sum += memory.trim_end_matches("Mi").parse::<u32>().expect("a request is in Mi");
            asked = false;
        }
    }
    assert!(sum > 0, "{rendering} asks for nothing");
    sum
}

#[test]
fn the_pages_tell_how_much_memory_is_asked_for() {
    let pod = read("operator/src/build/pod.rs");
    assert!(pod.contains(r#"else { ("16Mi", "64Mi") }"#), "a pod asks for another amount than 16 MiB");
    for values in ["default", "small"] {
        // A grid has three pods: strategy, gateway, feed.
        let sum = requested(&format!("tests/golden/chart/{values}.yaml")) + 3 * 16;
        for page in READMES.into_iter().chain(["charts/glm/README.md"]) {
            assert!(read(page).contains(&format!("**{sum} MiB**")), "{page} does not say {sum} MiB ({values})");
        }
    }
}

/// The value of `maxMemory` in a file of values, in bytes.
fn max_memory(values: &str) -> u64 {
    let text = read(values);
    let line = text.lines().find_map(|line| line.trim().strip_prefix("maxMemory: ")).expect("the file sets maxMemory");
    let number = line.split_whitespace().next().and_then(|word| word.strip_suffix("mb"));
    number.and_then(|number| number.parse::<u64>().ok()).expect("it is in mb") << 20
}

#[test]
fn the_chart_tells_what_a_fleet_needs_of_redis() {
    const MIB: u64 = 1 << 20;
    // Rounded up: the sum is a promise.
    let tenths = |bytes: u64| format!("{}.{}", (bytes * 10).div_ceil(MIB) / 10, (bytes * 10).div_ceil(MIB) % 10);
    let account = tenths(bus::account_memory(0));
    let (base, strategy) = (bus::BASE_MEMORY / MIB, bus::STRATEGY_MEMORY / 1024);
    let page = read("charts/glm/README.md");
    for said in [
        format!("{base} MiB + a × {account} MiB + s × {strategy} KiB"),
        format!("{} MiB", tenths(bus::Bounds::INBOX.memory())),
        format!("{} MiB for each market and interval", tenths(bus::Bounds::BARS.memory())),
        format!("for {} minutes", bus::CLOSED_KEPT_MS / 60_000),
    ] {
        assert!(page.contains(&said), "charts/glm/README.md does not say {said}");
    }
    let needed = |accounts: u64| bus::BASE_MEMORY + accounts * bus::account_memory(10);
    assert!(needed(10) <= max_memory("charts/glm/values.yaml"), "ten accounts of ten strategies fit the default");
    assert!(needed(3) <= max_memory("charts/glm/values-small.yaml"), "three of them fit the small one");
}
