//! Strict reading of manifests from files.
//!
//! A YAML tree that knows its lines is walked against the kind's schema, so that all faults come at once and
//! each says what to write instead; what is left is read by the same serde types that the operator reads
//! leniently, and checked by the same `validate()`. Nothing here opens a file.
//!
//! - [`decode`] makes text of a file's bytes.
//! - [`read`] reads one file; [`check_references`] then checks what lies between documents.
//! - [`read_files`] does both for all files, and checks references even of documents with other faults.

mod document;
mod encoding;
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
pub use encoding::decode;
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
#[allow(clippy::large_enum_variant, reason = "a file has few documents, and each is read once")]
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
    /// Documents of other kinds, such as a Namespace: a note that they are left out.
    pub left_out: ManifestErrors,
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
    let File { subjects, mut errors, left_out } = read_file(file_name, text);
    errors.extend(references::duplicates(&subjects));
    errors.extend(nothing_of_ours(&subjects, &errors, &left_out));
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.line);
        return Err(ManifestErrors(errors));
    }
    Ok(subjects.into_iter().filter_map(document::Subject::into_valid).collect())
}

/// All that `files`, as name and text, hold; every fault of every file.
pub fn read_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Reading {
    let (mut subjects, mut errors, mut left_out, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, text) in files {
        let file = read_file(name, text);
        subjects.extend(file.subjects);
        errors.extend(file.errors);
        left_out.extend(file.left_out);
        names.push(name);
    }
    errors.extend(nothing_of_ours(&subjects, &errors, &left_out));
    let references = references::check(&subjects);
    errors.extend(references.errors);
    let sorted = |mut errors: Vec<ManifestError>| {
        errors.sort_by_key(|error| (names.iter().position(|name| *name == error.file), error.line));
        ManifestErrors(errors)
    };
    Reading {
        errors: sorted(errors),
        unresolved: sorted(references.unresolved),
        left_out: sorted(left_out),
        manifests: subjects.into_iter().filter_map(document::Subject::into_valid).collect(),
    }
}

/// What one file holds.
struct File {
    subjects: Vec<document::Subject>,
    errors: Vec<ManifestError>,
    left_out: Vec<ManifestError>,
}

fn read_file(name: &str, text: &str) -> File {
    let (documents, fault) = tree::parse(name, text);
    let empty = documents.is_empty() && fault.is_none();
    let mut file = File { subjects: Vec::new(), errors: Vec::new(), left_out: Vec::new() };
    let shared: Arc<str> = name.into();
    for root in documents.into_iter().flat_map(document::flatten) {
        match document::read(Arc::clone(&shared), root) {
            document::Found::Ours(subject, errors) => {
                file.subjects.push(*subject);
                file.errors.extend(errors);
            }
            document::Found::Foreign(note) => file.left_out.push(note),
            document::Found::Unknown(error) => file.errors.push(error),
        }
    }
    file.errors.extend(fault);
    if empty || (file.subjects.is_empty() && file.errors.is_empty() && file.left_out.is_empty()) {
        file.errors.push(no_document(name));
    }
    file
}

fn no_document(file: &str) -> ManifestError {
    let message = "holds no document; write a TradingStrategy or a TradingAccount".to_owned();
    ManifestError { file: file.to_owned(), line: 1, path: String::new(), message }
}

/// An error where all documents are left out: who names such files did not mean them.
fn nothing_of_ours(
    subjects: &[document::Subject],
    errors: &[ManifestError],
    left_out: &[ManifestError],
) -> Option<ManifestError> {
    let first = left_out.first().filter(|_| subjects.is_empty() && errors.is_empty())?;
    let message = format!("{}; write a TradingStrategy or a TradingAccount", first.message);
    Some(ManifestError { message, ..first.clone() })
}
