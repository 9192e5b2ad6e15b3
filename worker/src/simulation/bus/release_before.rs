//! What a gateway of the release before reads and writes, made of what this program's does: that release knows of no transfers.

use std::sync::Arc;

use bus::{Body, Commit, Entry};
use serde_json::Value;

/// Makes the command of a transfer one of a kind that no program reads.
pub(super) fn hide_transfer(entry: &mut Entry) {
    let Body::Document { version, data } = &entry.body else { return };
    let Ok(mut command) = serde_json::from_str::<Value>(data) else { return };
    if command["command"] == "Transfer" {
        command["command"] = "KindOfALaterRelease".into();
        *entry = Entry::new(entry.id, Body::Document { version: *version, data: command.to_string().into() });
    }
}

/// A commit of which neither news nor sub-accounts say which transfers they hold.
pub(super) fn without_transfers(commit: &Commit) -> Commit {
    let mut commit = commit.clone();
    for message in &mut commit.messages {
        if let Some(data) = without(&message.data, &["transferred"]) {
            message.data = Arc::from(data);
        }
    }
    for (_, value) in commit.set.iter_mut().filter(|(name, _)| name.starts_with("book:")) {
        if let Some(book) = without(value, &["transfers", "transferred"]) {
            *value = Arc::from(book);
        }
    }
    commit
}

/// The document without these fields; `None` where it has none of them.
fn without(text: &str, fields: &[&str]) -> Option<String> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    let members = document.as_object_mut()?;
    let before = members.len();
    members.retain(|name, _| !fields.contains(&name.as_str()));
    (members.len() < before).then(|| document.to_string())
}
