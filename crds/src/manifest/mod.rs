//! Strict reading of manifests from files.
//!
//! A YAML tree that knows its lines is walked against the kind's schema, so that all faults come at once and
//! each says what to write instead; what is left is read by the same serde types that the operator reads
//! leniently, and checked by the same `validate()`. Nothing here opens a file.
//!
//! - [`read`] reads one file; [`check_references`] then checks what lies between documents.
//! - [`read_files`] does both for all files, and checks references even of documents with other faults.

mod document;
mod error;
mod leaf;
mod references;
mod scalar;
mod schema;
mod suggestion;
mod tree;
mod walk;

use std::sync::Arc;

pub use document::Document;
pub use error::{ManifestError, ManifestErrors};
pub use references::{References, check_references};
pub use tree::BYTES_MAX;

use crate::account::TradingAccountSpec;
use crate::name::ResourceName;
use crate::strategy::TradingStrategySpec;

/// The namespace of a document that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// A document that is valid in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// A TradingStrategy.
    Strategy(Document<TradingStrategySpec>),
    /// A TradingAccount.
    Account(Document<TradingAccountSpec>),
}

impl Manifest {
    /// The kind's name, such as `TradingStrategy`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Strategy(_) => schema::Kind::Strategy.name(),
            Self::Account(_) => schema::Kind::Account.name(),
        }
    }

    /// `metadata.name`.
    pub const fn name(&self) -> &ResourceName {
        match self {
            Self::Strategy(document) => &document.name,
            Self::Account(document) => &document.name,
        }
    }

    /// `metadata.namespace`, or the default.
    pub fn namespace(&self) -> &str {
        match self {
            Self::Strategy(document) => &document.namespace,
            Self::Account(document) => &document.namespace,
        }
    }

    /// An error at `path` of this document, with its line.
    pub fn error(&self, path: &str, message: impl Into<String>) -> ManifestError {
        match self {
            Self::Strategy(document) => document.error(path, message),
            Self::Account(document) => document.error(path, message),
        }
    }
}

/// What some files hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The documents that are valid in themselves, in the order of files and lines.
    pub manifests: Vec<Manifest>,
    /// All that is wrong in itself.
    pub errors: ManifestErrors,
    /// Accounts that no file holds, rules that no source gives: a note to who only reads, an error to who runs.
    pub unresolved: ManifestErrors,
}

impl Reading {
    /// The manifests, where nothing is wrong and every account is in a file.
    pub fn complete(self) -> Result<Vec<Manifest>, ManifestErrors> {
        if self.errors.is_empty() && self.unresolved.is_empty() {
            return Ok(self.manifests);
        }
        let mut errors = self.errors.0;
        errors.extend(self.unresolved.0);
        // Stable, so files stay in the order in which they were given.
        let order: Vec<String> = errors.iter().map(|error| error.file.clone()).collect();
        let place = |file: &str| order.iter().position(|other| other == file);
        errors.sort_by_key(|error| (place(&error.file), error.line));
        Err(ManifestErrors(errors))
    }
}

/// The manifests of one file. What lies between documents, but for duplicate names, is not checked.
pub fn read(file_name: &str, text: &str) -> Result<Vec<Manifest>, ManifestErrors> {
    let (subjects, mut errors) = read_subjects(file_name, text);
    errors.extend(references::duplicates(&subjects));
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.line);
        return Err(ManifestErrors(errors));
    }
    Ok(subjects.into_iter().filter_map(document::Subject::into_valid).collect())
}

/// All that `files`, as name and text, hold; every fault of every file.
pub fn read_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Reading {
    let mut subjects = Vec::new();
    let mut errors = Vec::new();
    let mut names = Vec::new();
    for (name, text) in files {
        let (found, faults) = read_subjects(name, text);
        subjects.extend(found);
        errors.extend(faults);
        names.push(name);
    }
    let references = references::check(&subjects);
    errors.extend(references.errors);
    let sorted = |mut errors: Vec<ManifestError>| {
        errors.sort_by_key(|error| (names.iter().position(|name| *name == error.file), error.line));
        ManifestErrors(errors)
    };
    Reading {
        errors: sorted(errors),
        unresolved: sorted(references.unresolved),
        manifests: subjects.into_iter().filter_map(document::Subject::into_valid).collect(),
    }
}

fn read_subjects(file: &str, text: &str) -> (Vec<document::Subject>, Vec<ManifestError>) {
    let documents = match tree::parse(file, text) {
        Ok(documents) => documents,
        Err(error) => return (Vec::new(), vec![error]),
    };
    if documents.is_empty() {
        let message = "holds no document; write a TradingStrategy or a TradingAccount".to_owned();
        let error = ManifestError { file: file.to_owned(), line: 1, path: String::new(), message };
        return (Vec::new(), vec![error]);
    }
    let mut subjects = Vec::new();
    let mut errors = Vec::new();
    let file: Arc<str> = file.into();
    for root in documents {
        let (subject, faults) = document::read(Arc::clone(&file), root);
        subjects.extend(subject);
        errors.extend(faults);
    }
    (subjects, errors)
}
