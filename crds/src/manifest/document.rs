//! One document, or a list of them: its kind, its name, its spec, and where each of them stands.

use std::sync::{Arc, LazyLock};

use engine::risk::{PositionBounds, RiskParameters};
use engine::validation::Violation;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ManifestError;
use super::schema::Kind;
use super::suggestion::{did_you_mean, nearest};
use super::tree::{Content, Node};
use super::walk::{Fault, walk};
use super::{DEFAULT_NAMESPACE, Manifest};
use crate::API_VERSION;
use crate::name::ResourceName;

/// Where a document comes from: later faults can still name its lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) file: Arc<str>,
    pub(super) root: Node,
}

impl Source {
    pub(super) fn error(&self, path: &str, message: impl Into<String>) -> ManifestError {
        ManifestError {
            file: self.file.to_string(),
            line: self.root.line_of(path),
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

/// A valid document with its spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<S> {
    /// `metadata.name`.
    pub name: ResourceName,
    /// `metadata.namespace`, or the default.
    pub namespace: String,
    /// The spec, with defaults filled in.
    pub spec: S,
    pub(super) source: Arc<Source>,
}

impl<S> Document<S> {
    /// The file's name as it was given.
    pub fn file(&self) -> &str {
        &self.source.file
    }

    /// The line of `path`, or of the longest part of it that is written.
    pub fn line_of(&self, path: &str) -> usize {
        self.source.root.line_of(path)
    }

    /// An error at `path` of this document, with its line.
    pub fn error(&self, path: &str, message: impl Into<String>) -> ManifestError {
        self.source.error(path, message)
    }
}

/// A document of a known kind, valid or not, as far as references need it.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) source: Arc<Source>,
    /// The document, where it reads.
    pub(super) manifest: Option<Manifest>,
    /// Whether it is valid in itself.
    pub(super) valid: bool,
}

impl Subject {
    /// The document, where it is valid in itself.
    pub(super) fn into_valid(self) -> Option<Manifest> {
        self.manifest.filter(|_| self.valid)
    }
}

/// The schemas of all kinds, made once: a fleet has many files.
static SCHEMAS: LazyLock<[(Kind, Value); 2]> = LazyLock::new(|| Kind::ALL.map(|kind| (kind, kind.document_schema())));

/// What one document turned out to be.
#[derive(Debug)]
pub(super) enum Found {
    /// Of a kind of ours, with all that is wrong with it.
    Ours(Box<Subject>, Vec<ManifestError>),
    /// Of another kind, with a note that it is left out.
    Foreign(ManifestError),
    /// Of no kind that can be told.
    Unknown(ManifestError),
}

/// One document of `file`.
pub(super) fn read(file: Arc<str>, root: Node) -> Found {
    let source = Arc::new(Source { file, root });
    let (kind, schema) = match find_kind(&source) {
        Ok(found) => found,
        Err(not_ours) => return not_ours,
    };
    let (json, faults) = walk(&source.root, schema);
    let text = |path: &str| source.root.at(path).and_then(Node::text).map(str::to_owned);
    let mut subject = Subject {
        kind,
        namespace: text("metadata.namespace").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        name: text("metadata.name").unwrap_or_default(),
        source: Arc::clone(&source),
        manifest: None,
        valid: false,
    };
    let spec = json.and_then(|mut json| json.get_mut("spec").map(Value::take)).unwrap_or_default();
    let violations = match kind {
        Kind::Strategy => {
            let checks = Checks { whole: crate::TradingStrategySpec::validate, parts: strategy_parts };
            check(&mut subject, spec, &faults, Manifest::Strategy, &checks)
        }
        Kind::Account => {
            let checks = Checks { whole: crate::TradingAccountSpec::validate, parts: account_parts };
            check(&mut subject, spec, &faults, Manifest::Account, &checks)
        }
    };
    subject.valid = violations.is_empty() && faults.is_empty();
    let mut errors: Vec<ManifestError> = faults.into_iter().map(|fault| locate(&source, fault)).collect();
    errors.extend(violations.into_iter().map(|violation| explain(&source, violation)));
    Found::Ours(Box::new(subject), errors)
}

fn find_kind(source: &Source) -> Result<(Kind, &'static Value), Found> {
    let kinds = Kind::ALL.map(Kind::name);
    let root = &source.root;
    let refuse = |path: &str, message: String| Err(Found::Unknown(source.error(path, message)));
    if !matches!(root.content, Content::Map(_)) {
        return refuse("", "not a map; write apiVersion, kind, metadata and spec".to_owned());
    }
    let Some(kind) = root.field("kind").and_then(Node::text) else {
        return refuse("kind", format!("missing; write one of: {}", kinds.join(", ")));
    };
    if let Some(found) = SCHEMAS.iter().find(|(known, _)| known.name() == kind) {
        return Ok((found.0, &found.1));
    }
    if is_list(kind) {
        return refuse("kind", format!("{kind} has no items; write its documents below items, or divided by ---"));
    }
    let version = root.field("apiVersion").and_then(Node::text).unwrap_or_default();
    let ours = version.is_empty() || version.split('/').next() == API_VERSION.split('/').next();
    if !ours && nearest(kind, &kinds).is_none() {
        let name = root.at("metadata.name").and_then(Node::text).unwrap_or_default();
        let message = format!("{kind} {name:?} of {version} is not ours and is left out");
        return Err(Found::Foreign(source.error("", message)));
    }
    refuse("kind", format!("{kind} is not known here; {}", did_you_mean(kind, &kinds, "write one of:")))
}

/// Whether documents of this kind hold other documents.
fn is_list(kind: &str) -> bool {
    kind == "List" || Kind::ALL.iter().any(|known| kind.strip_suffix("List") == Some(known.name()))
}

/// The documents of a list, as `kubectl get` prints several; the document itself where it is none.
pub(super) fn flatten(root: Node) -> Vec<Node> {
    if !root.field("kind").and_then(Node::text).is_some_and(is_list) {
        return vec![root];
    }
    match root.content {
        Content::Map(fields) => {
            let items =
                fields.iter().position(|(key, value)| key == "items" && matches!(value.content, Content::List(_)));
            let mut fields = fields;
            match items.map(|at| fields.swap_remove(at).1.content) {
                Some(Content::List(items)) => items.into_iter().flat_map(flatten).collect(),
                Some(Content::Map(_) | Content::Scalar { .. }) => Vec::new(),
                None => vec![Node { content: Content::Map(fields), ..root }],
            }
        }
        Content::List(_) | Content::Scalar { .. } => vec![root],
    }
}

/// What holds of a spec, and of its parts where the whole does not read.
struct Checks<S> {
    whole: fn(&S) -> Vec<Violation>,
    parts: fn(&Value) -> Vec<Violation>,
}

/// The violations that no fault explains. The manifest is kept where what lies between documents can be checked
/// with it, even if something else is wrong.
fn check<S: DeserializeOwned>(
    subject: &mut Subject,
    json: Value,
    faults: &[Fault],
    manifest: impl FnOnce(Document<S>) -> Manifest,
    checks: &Checks<S>,
) -> Vec<Violation> {
    let unexplained = |violations: Vec<Violation>| -> Vec<Violation> {
        violations.into_iter().filter(|violation| !is_explained(violation, faults)).collect()
    };
    let parts = json.clone();
    let spec: S = match serde_json::from_value(json) {
        Ok(spec) => spec,
        // A refused field is left out, which may leave no whole to read.
        Err(_) if !faults.is_empty() => return unexplained((checks.parts)(&parts)),
        Err(error) => return vec![Violation::new("spec", "", error.to_string())],
    };
    let violations = unexplained((checks.whole)(&spec));
    if let Ok(name) = subject.name.parse()
        && !faults.iter().any(|fault| between_documents(&fault.path))
    {
        let (namespace, source) = (subject.namespace.clone(), Arc::clone(&subject.source));
        subject.manifest = Some(manifest(Document { name, namespace, spec, source }));
    }
    violations
}

/// Whether other documents are held against what stands at `path`.
fn between_documents(path: &str) -> bool {
    let places = ["metadata", "spec.accountRef", "spec.instruments", "spec.capital", "spec.venue", "spec.marketData"];
    path == "spec" || places.iter().any(|place| path.starts_with(place))
}

/// What is wrong with those parts of a strategy's spec that can be judged alone.
fn strategy_parts(spec: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    let strategy = part::<crate::strategy::StrategyChoice>(spec, "strategy");
    violations.extend(strategy.iter().flat_map(|strategy| strategy.validate("spec.strategy")));
    // Of a strategy that does not read, no default is known.
    let bounds = strategy.map_or(PositionBounds::Written, |strategy| strategy.position_bounds());
    if let Some(risk) = part::<RiskParameters>(spec, "risk") {
        violations.extend(risk.validate("spec.risk", bounds));
    }
    if let Some(exit) = part::<engine::risk::ExitParameters>(spec, "exit") {
        violations.extend(exit.validate("spec.exit"));
    }
    let instruments = spec.get("instruments").and_then(Value::as_array).into_iter().flatten();
    for (index, instrument) in instruments.enumerate() {
        if let Some(rules) = part::<engine::instrument::Rules>(instrument, "rules") {
            violations.extend(rules.validate(&format!("spec.instruments[{index}].rules")));
        }
    }
    violations
}

/// What is wrong with those parts of an account's spec that can be judged alone.
fn account_parts(spec: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    let paper = spec.get("venue").and_then(|venue| venue.get("paper"));
    if let Some(fees) = paper.and_then(|paper| part::<engine::fees::Fees>(paper, "fees")) {
        violations.extend(fees.validate("spec.venue.paper.fees"));
    }
    if let Some(replay) = spec.get("marketData").and_then(|data| part::<crate::account::Replay>(data, "replay")) {
        violations.extend(replay.validate("spec.marketData.replay"));
    }
    violations
}

/// The field `name` of `json`, where it reads.
fn part<T: DeserializeOwned>(json: &Value, name: &str) -> Option<T> {
    serde_json::from_value(json.get(name)?.clone()).ok()
}

/// Whether a fault stands within the violation, or beside it and in its words: a refused field counts as left
/// out, and what compares its default would only mislead.
fn is_explained(violation: &Violation, faults: &[Fault]) -> bool {
    let parent = violation.path.rsplit_once('.').map_or("", |(parent, _)| parent);
    faults.iter().any(|fault| {
        let within = fault
            .path
            .strip_prefix(&violation.path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let beside = fault
            .path
            .rsplit_once('.')
            .is_some_and(|(other, field)| other == parent && is_field(field) && violation.remedy.contains(field));
        within || beside
    })
}

/// Whether it is a field's name, and not an asset: a remedy that lists assets compares none of them.
fn is_field(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
}

fn locate(source: &Source, fault: Fault) -> ManifestError {
    ManifestError { file: source.file.to_string(), line: fault.line, path: fault.path, message: fault.message }
}

fn explain(source: &Source, violation: Violation) -> ManifestError {
    let Violation { path, value, remedy } = violation;
    let message = if value.is_empty() { remedy } else { format!("{value} {remedy}") };
    source.error(&path, message)
}
