//! One document: its kind, its name, its spec, and where each of them stands.

use std::sync::{Arc, LazyLock};

use engine::validation::Violation;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ManifestError;
use super::schema::Kind;
use super::suggestion::did_you_mean;
use super::tree::Node;
use super::walk::{Fault, walk};
use super::{DEFAULT_NAMESPACE, Manifest};
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

/// One document of `file`; nothing where its kind cannot be told.
pub(super) fn read(file: Arc<str>, root: Node) -> (Option<Subject>, Vec<ManifestError>) {
    let source = Arc::new(Source { file, root });
    let (kind, schema) = match find_kind(&source) {
        Ok(found) => found,
        Err(error) => return (None, vec![error]),
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
    let violations = match kind {
        Kind::Strategy => check(&subject, json, &faults, Manifest::Strategy, crate::TradingStrategySpec::validate),
        Kind::Account => check(&subject, json, &faults, Manifest::Account, crate::TradingAccountSpec::validate),
    };
    let (manifest, violations) = violations;
    subject.manifest = manifest;
    subject.valid = violations.is_empty();
    let mut errors: Vec<ManifestError> = faults.into_iter().map(|fault| locate(&source, fault)).collect();
    errors.extend(violations.into_iter().map(|violation| explain(&source, violation)));
    (Some(subject), errors)
}

fn find_kind(source: &Source) -> Result<(Kind, &'static Value), ManifestError> {
    let kinds = Kind::ALL.map(Kind::name);
    let root = &source.root;
    if !matches!(root.content, super::tree::Content::Map(_)) {
        return Err(source.error("", "not a map; write apiVersion, kind, metadata and spec"));
    }
    let Some(kind) = root.field("kind").and_then(Node::text) else {
        return Err(source.error("kind", format!("missing; write one of: {}", kinds.join(", "))));
    };
    if kind == "List" {
        return Err(source.error("kind", "List is not read; write its items as documents of their own, divided by ---"));
    }
    SCHEMAS.iter().find(|(known, _)| known.name() == kind).map(|(known, schema)| (*known, schema)).ok_or_else(|| {
        source.error("kind", format!("{kind} is not known here; {}", did_you_mean(kind, &kinds, "write one of:")))
    })
}

/// The manifest where the walk found no fault, so that what lies between documents can be checked too; and the
/// violations that no fault explains.
fn check<S: DeserializeOwned>(
    subject: &Subject,
    json: Option<Value>,
    faults: &[Fault],
    manifest: impl FnOnce(Document<S>) -> Manifest,
    validate: impl FnOnce(&S) -> Vec<Violation>,
) -> (Option<Manifest>, Vec<Violation>) {
    let spec = json.and_then(|mut json| json.get_mut("spec").map(Value::take)).unwrap_or_default();
    let spec: S = match serde_json::from_value(spec) {
        Ok(spec) => spec,
        // A refused field is left out, which may leave nothing to read.
        Err(_) if !faults.is_empty() => return (None, Vec::new()),
        Err(error) => return (None, vec![Violation::new("spec", "", error.to_string())]),
    };
    let violations: Vec<Violation> =
        validate(&spec).into_iter().filter(|violation| !is_explained(violation, faults)).collect();
    let manifest = match subject.name.parse() {
        Ok(name) if faults.is_empty() => {
            let (namespace, source) = (subject.namespace.clone(), Arc::clone(&subject.source));
            Some(manifest(Document { name, namespace, spec, source }))
        }
        Ok(_) | Err(_) => None,
    };
    (manifest, violations)
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
            .is_some_and(|(other, field)| other == parent && violation.remedy.contains(field));
        within || beside
    })
}

fn locate(source: &Source, fault: Fault) -> ManifestError {
    ManifestError { file: source.file.to_string(), line: fault.line, path: fault.path, message: fault.message }
}

fn explain(source: &Source, violation: Violation) -> ManifestError {
    let Violation { path, value, remedy } = violation;
    let message = if value.is_empty() { remedy } else { format!("{value} {remedy}") };
    source.error(&path, message)
}
