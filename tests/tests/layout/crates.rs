//! Which crate may use what.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// What one crate may use.
struct Rule {
    name: &'static str,
    /// Crates of this workspace it may declare.
    workspace: &'static [&'static str],
    /// All other crates it may declare; `None`: any that it may reach.
    outside: Option<&'static [&'static str]>,
    /// Crates it may not reach in any way; a name that ends in - or _ stands for all that begin so.
    never: &'static [&'static str],
}

const RULES: [Rule; 9] = [
    // Pure: no clock, no chance, no input and output.
    Rule {
        name: "engine",
        workspace: &[],
        outside: Some(&[
            "ethnum",
            "libm",
            "num-bigint",
            "rust_decimal",
            "schemars",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
        ]),
        never: &[
            "axum",
            "bus",
            "chrono",
            "crds",
            "fastrand",
            "getrandom",
            "hyper",
            "jiff",
            "k8s-openapi",
            "kube",
            "kube-",
            "mio",
            "rand",
            "rand_",
            "redis",
            "tests",
            "time",
            "tokio",
            "uuid",
            "venue",
            "worker",
        ],
    },
    Rule {
        name: "bus",
        workspace: &["engine"],
        outside: None,
        never: &["venue", "crds", "worker", "kube", "kube-", "k8s-openapi"],
    },
    Rule {
        name: "venue",
        workspace: &["engine"],
        outside: None,
        never: &["bus", "crds", "worker", "redis", "kube", "kube-", "k8s-openapi"],
    },
    Rule {
        name: "crds",
        workspace: &["engine"],
        outside: None,
        never: &["bus", "venue", "worker", "tokio", "redis", "hyper", "kube-client", "kube-runtime"],
    },
    Rule {
        name: "process",
        workspace: &[],
        outside: None,
        never: &["bus", "crds", "engine", "venue", "worker", "redis", "kube", "kube-", "k8s-openapi"],
    },
    Rule {
        name: "worker",
        workspace: &["bus", "crds", "engine", "process", "venue"],
        outside: None,
        never: &["kube-client", "kube-runtime"],
    },
    Rule {
        name: "operator",
        workspace: &["bus", "crds", "engine", "process"],
        outside: None,
        never: &["venue", "worker"],
    },
    // Part of no product, and so free.
    Rule {
        name: "tests",
        workspace: &["bus", "crds", "engine", "market-server", "operator", "venue", "worker"],
        outside: None,
        never: &[],
    },
    // The other side of the wire: what it shares with the product, it could not find wrong in it.
    Rule {
        name: "market-server",
        workspace: &[],
        outside: None,
        never: &["bus", "crds", "engine", "operator", "process", "venue", "worker", "redis", "kube", "k8s-openapi"],
    },
];

/// Standard output of cargo, which must not fail.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(super::files::repository()).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes text")
}

/// The packages of this workspace as their Cargo.toml files are.
fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let mut metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
    serde_json::from_value(metadata["packages"].take()).expect("a list of packages")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a name is text")
}

fn rule(name: &str) -> &'static Rule {
    let found = RULES.iter().find(|rule| rule.name == name);
    found.unwrap_or_else(|| panic!("crate {name} has no rule: say in this table what it may use"))
}

#[test]
fn each_crate_declares_what_it_may() {
    let packages = packages();
    let members: BTreeSet<&str> = packages.iter().map(|package| text(&package["name"])).collect();
    assert_eq!(members, RULES.iter().map(|rule| rule.name).collect(), "every crate has a rule, and every rule a crate");
    for package in &packages {
        let rule = rule(text(&package["name"]));
        // Dependencies of tests may be more, as they reach no product.
        let declared = package["dependencies"].as_array().expect("a list of dependencies");
        for dependency in declared.iter().filter(|dependency| dependency["kind"].is_null()) {
            let name = text(&dependency["name"]);
            let may = if members.contains(name) {
                rule.workspace.contains(&name)
            } else {
                rule.outside.is_none_or(|outside| outside.contains(&name))
            };
            assert!(may, "{} may not depend on {name}", rule.name);
        }
    }
}

#[test]
fn no_crate_reaches_what_it_must_not() {
    for rule in &RULES {
        let tree = cargo(&["tree", "--offline", "-p", rule.name, "-e", "normal", "--prefix", "none", "-f", "{p}"]);
        let reached: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(reached.contains(rule.name), "{tree}");
        for name in reached.iter().filter(|name| **name != rule.name) {
            let forbidden = rule.never.iter().find(|never| match never.strip_suffix(['-', '_']) {
                Some(_) => name.starts_with(**never),
                None => *name == **never,
            });
            assert!(
                forbidden.is_none(),
                "{} reaches {name}: cargo tree -p {} -e normal -i {name}",
                rule.name,
                rule.name
            );
        }
    }
}

#[test]
fn the_tree_of_a_crate_shows_what_it_reaches() {
    // The test above would pass on an empty tree; it must be able to find something.
    let tree = cargo(&["tree", "--offline", "-p", "bus", "-e", "normal", "--prefix", "none", "-f", "{p}"]);
    assert!(tree.lines().any(|line| line.starts_with("redis v")) && tree.contains("tokio v"), "{tree}");
}
