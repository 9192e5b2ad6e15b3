//! Folders that stand for ConfigMaps: on a laptop a process finds its files there.

use std::path::PathBuf;

use crds::roles::StrategySpec;

use crate::process::exit::Failure;

/// One `NAME=FOLDER`.
#[derive(Debug, Clone)]
pub struct Folder {
    name: String,
    folder: PathBuf,
}

impl std::str::FromStr for Folder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
                Ok(Self { name: name.to_owned(), folder: folder.into() })
            }
            Some(_) | None => Err("write NAME=FOLDER, with the name of a ConfigMap".to_owned()),
        }
    }
}

/// Says of each strategy that is a process where its files lie. Each ConfigMap must have its folder, and each folder a
/// strategy.
pub fn place<'a>(sources: &[Folder], specs: impl IntoIterator<Item = &'a mut StrategySpec>) -> Result<(), Failure> {
    let mut used = vec![false; sources.len()];
    for spec in specs {
        let process = spec.spec.strategy.process.as_ref();
        let Some(wanted) = process.and_then(|process| process.source.as_ref()) else { continue };
        let wanted = wanted.config_map.as_str();
        let Some(at) = sources.iter().position(|source| source.name == wanted) else {
            let path = "spec.strategy.process.source.configMap";
            let message =
                format!("{}: {path}: \"{wanted}\" is in a cluster; write --source {wanted}=FOLDER", spec.name);
            return Err(Failure::refused(message));
        };
        let Some(source) = sources.get(at) else { continue };
        if !source.folder.is_dir() {
            let folder = source.folder.display();
            return Err(Failure::not_found(format!("--source {wanted}={folder}: there is no such folder")));
        }
        used[at] = true;
        spec.source_folder = Some(source.folder.clone());
    }
    match sources.iter().zip(used).find(|(_, used)| !used) {
        Some((source, _)) => Err(Failure::refused(format!(
            "--source {}: no strategy has a process with this configMap; leave it out, or correct the name",
            source.name
        ))),
        None => Ok(()),
    }
}
