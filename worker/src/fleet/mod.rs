//! From manifests to what each role is told. Pure but for reading the files.

pub(crate) mod provision;
pub(crate) mod sources;

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crds::manifest::{self, Manifest, ManifestErrors, Reading};
use crds::roles::{AccountSpec, Endpoint, GatewaySpec, LiveSpec, ReplaySpec, SpecError, StrategySpec};
use engine::instrument::Symbol;

use crate::process::exit::Failure;

/// Why manifests cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A file could not be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The manifests are not valid.
    #[error("{0}")]
    Invalid(ManifestErrors),
    /// The files hold no strategy.
    #[error("{files}: no TradingStrategy in it; write one, or name the file that holds it")]
    NoStrategy {
        /// The files.
        files: String,
    },
}

impl From<FleetError> for Failure {
    fn from(error: FleetError) -> Self {
        let message = error.to_string();
        match error {
            FleetError::Read { source, .. } if source.kind() == ErrorKind::NotFound => Self::not_found(message),
            FleetError::Read { .. } | FleetError::Invalid(_) | FleetError::NoStrategy { .. } => Self::refused(message),
        }
    }
}

/// An account with the strategies that trade on it.
#[derive(Debug, Clone)]
pub struct AccountGroup {
    /// The namespace of all of them.
    pub namespace: String,
    /// The account's gateway.
    pub gateway: GatewaySpec,
    /// The account's replay; absent without strategies, and where its prices are live.
    pub feed: Option<ReplaySpec>,
    /// In the order of the files.
    pub strategies: Vec<StrategySpec>,
}

/// A source of live prices, with all who read it.
#[derive(Debug, Clone)]
pub struct LiveGroup {
    /// The namespace of all of them.
    pub namespace: String,
    /// What its feed is told.
    pub feed: LiveSpec,
    /// Each strategy as `ACCOUNT/STRATEGY`, with the markets that it reads.
    pub readers: Vec<(String, Vec<Symbol>)>,
}

/// All accounts of the files, in their order.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub accounts: Vec<AccountGroup>,
}

impl AccountGroup {
    /// Its strategies, as who reads a source.
    pub fn readers(&self) -> impl Iterator<Item = (String, Vec<Symbol>)> {
        self.strategies.iter().map(|strategy| {
            let symbols = strategy.spec.instruments.iter().map(|instrument| instrument.symbol.clone());
            (format!("{}/{}", self.gateway.account.name, strategy.name), symbols.collect())
        })
    }
}

/// Reads files strictly; every fault of every file.
pub fn read(files: &[PathBuf]) -> Result<Reading, FleetError> {
    let (mut texts, mut undecoded) = (Vec::new(), Vec::new());
    for file in files {
        let bytes = bytes_of(file).map_err(|source| FleetError::Read { file: file.clone(), source })?;
        let name = file.display().to_string();
        if bytes.len() > manifest::BYTES_MAX {
            // Cut, perhaps inside a character; the reader says that it is too large.
            texts.push((name, String::from_utf8_lossy(&bytes).into_owned()));
            continue;
        }
        match manifest::decode(&name, bytes) {
            Ok(text) => texts.push((name, text)),
            Err(error) => undecoded.push(error),
        }
    }
    let mut reading = manifest::read_files(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    reading.errors.0.splice(0..0, undecoded);
    for note in &reading.left_out {
        process::say(format_args!("note: {note}"));
    }
    Ok(reading)
}

/// The bytes of a file: never more is read than one beyond what a manifest may have, of a device without end too.
fn bytes_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(manifest::BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Fleet {
    /// The fleet of complete manifests. A replay's file lies beside the manifest that names it.
    pub fn from_files(files: &[PathBuf]) -> Result<Self, FleetError> {
        let manifests = read(files)?.complete().map_err(FleetError::Invalid)?;
        let fleet = Self::from_manifests(&manifests)?;
        if fleet.accounts.iter().all(|account| account.strategies.is_empty()) {
            let files = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
            return Err(FleetError::NoStrategy { files });
        }
        Ok(fleet)
    }

    /// The sources of live prices, each once; `hosts` gives those of the endpoint of a name, or says why it cannot.
    pub fn live(&self, hosts: impl Fn(&str) -> Result<Endpoint, Failure>) -> Result<Vec<LiveGroup>, Failure> {
        let mut groups: Vec<LiveGroup> = Vec::new();
        for account in self.accounts.iter().filter(|account| !account.strategies.is_empty()) {
            let spec = &account.gateway.account;
            let endpoint = spec.spec.market_data.binance.as_ref().and_then(|binance| binance.endpoint.as_ref());
            let hosts = endpoint.map(|name| hosts(name.as_str())).transpose()?;
            let Some(feed) = LiveSpec::of(spec, hosts) else { continue };
            let is_it =
                |group: &&mut LiveGroup| group.namespace == account.namespace && group.feed.source == feed.source;
            match groups.iter_mut().find(is_it) {
                Some(group) => group.readers.extend(account.readers()),
                None => groups.push(LiveGroup {
                    namespace: account.namespace.clone(),
                    feed,
                    readers: account.readers().collect(),
                }),
            }
        }
        Ok(groups)
    }

    fn from_manifests(manifests: &[Manifest]) -> Result<Self, FleetError> {
        let mut accounts: Vec<AccountGroup> = Vec::new();
        for manifest in manifests {
            if let Manifest::Account(document) = manifest {
                let account = AccountSpec { name: document.name.to_string(), spec: document.spec.clone() };
                let mut strategies = Vec::new();
                for other in manifests {
                    if let Manifest::Strategy(strategy) = other
                        && strategy.namespace == document.namespace
                        && strategy.spec.account_ref.name == document.name
                    {
                        strategies.push(strategy_spec(strategy, &account)?);
                    }
                }
                let folder = Path::new(document.file()).parent().map(Path::to_path_buf).unwrap_or_default();
                accounts.push(AccountGroup {
                    namespace: document.namespace.clone(),
                    feed: feed_spec(&account, &strategies, &folder),
                    gateway: GatewaySpec { generation: 1, account },
                    strategies,
                });
            }
        }
        Ok(Self { accounts })
    }
}

/// What the role of a strategy is told; refused without instrument rules.
pub fn strategy_spec(
    document: &manifest::Document<crds::TradingStrategySpec>,
    account: &AccountSpec,
) -> Result<StrategySpec, FleetError> {
    let spec = StrategySpec {
        name: document.name.to_string(),
        generation: 1,
        spec: document.spec.clone(),
        account: account.clone(),
        source_folder: None,
    };
    let refuse = |error: SpecError| {
        FleetError::Invalid(ManifestErrors(vec![document.error("spec.instruments[0].rules", error.to_string())]))
    };
    // The source of live prices has rules of its own.
    if !(account.is_live() && spec.spec.instruments.iter().any(|instrument| instrument.rules.is_none())) {
        spec.instrument().map_err(refuse)?;
    }
    Ok(spec)
}

fn feed_spec(account: &AccountSpec, strategies: &[StrategySpec], folder: &Path) -> Option<ReplaySpec> {
    let first = strategies.first()?.spec.instruments.first().map(|instrument| &instrument.symbol);
    ReplaySpec::of(account, account.source(), first, |file| folder.join(file.as_str()))
}
