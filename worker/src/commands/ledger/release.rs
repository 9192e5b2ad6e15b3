//! The command `ledger release`: asks a worker, or an account's gateway, by its register, to release what is latched.

use bus::{Message, Owner, Record, RedisBus, StateStore as _};
use clap::Args;
use crds::record::{LATCHED, REPORT, latched};
use crds::roles::{GatewayDesired, StrategyDesired, StrategySpec};
use engine::messages::{Document as _, Inbox};
use engine::report::{LatchedLimit, Report};
use engine::risk::Release;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Target, scope};
use crate::fleet::AccountGroup;
use crate::fleet::provision::set_register;
use crate::process::exit::{Failure, print};
use crate::roles::Runtime;
use crate::roles::session::patiently;

/// What of which strategy, or of which account.
#[derive(Debug, Args)]
pub struct Named {
    /// Whose: --account for a limit of the account, --strategy where the manifest has several strategies.
    #[command(flatten)]
    pub(super) target: Target,
    /// The name and since of a latched limit, or of the exit's rule, as the status shows them.
    #[arg(long, value_name = "NAME@SINCE")]
    limit: Release,
}

impl Named {
    pub(super) async fn release(&self, runtime: &Runtime<RedisBus>, group: &AccountGroup) -> Result<(), Failure> {
        if self.target.account.is_some() {
            return self.release_of_account(runtime, group).await;
        }
        let mut strategies = group.strategies.iter().filter(|spec| self.target.names_strategy(&spec.name));
        match (strategies.next(), strategies.next()) {
            (None, _) => Ok(()),
            (Some(spec), None) => self.release_of(runtime, group, spec).await,
            (Some(_), Some(_)) => {
                Err(Failure::refused("the manifest has several strategies; name one with --strategy"))
            }
        }
    }

    async fn release_of(
        &self,
        runtime: &Runtime<RedisBus>,
        group: &AccountGroup,
        spec: &StrategySpec,
    ) -> Result<(), Failure> {
        let (owner, name) = (runtime.identity.keys.strategy(&scope(group)?, &spec.name), &spec.name);
        let record = record(runtime, &owner, &format!("strategy {name}")).await?;
        let report: Option<Report> = record.fields.get(REPORT).and_then(|report| serde_json::from_str(report).ok());
        self.refuse_other(name, &report.map(|report| report.latched()).unwrap_or_default())?;
        let present: Option<StrategyDesired> = present(runtime, &owner, name).await?;
        let desired = present.unwrap_or_else(|| StrategyDesired::of(&spec.spec, spec.generation));
        let desired = StrategyDesired { release: Some(self.limit.clone()), ..desired };
        self.ask(runtime, &owner, &desired, (name, "worker")).await
    }

    async fn release_of_account(&self, runtime: &Runtime<RedisBus>, group: &AccountGroup) -> Result<(), Failure> {
        let (owner, name) = (runtime.identity.keys.gateway(&scope(group)?), &group.gateway.account.name);
        let record = record(runtime, &owner, &format!("account {name}")).await?;
        let limits = latched(record.fields.get(LATCHED))
            .ok_or_else(|| Failure::refused(format!("the record of account {name}: field {LATCHED} does not read")))?;
        self.refuse_other(name, &limits.iter().map(LatchedLimit::release).collect::<Vec<_>>())?;
        let present: Option<GatewayDesired> = present(runtime, &owner, name).await?;
        // Without its books it would close them all.
        let desired = present.ok_or_else(|| Failure::not_found(format!("{name}: its gateway has no register yet")))?;
        let desired = GatewayDesired { release: Some(self.limit.clone()), ..desired };
        self.ask(runtime, &owner, &desired, (name, "gateway")).await
    }

    /// Refuses what is not latched, and says what is.
    fn refuse_other(&self, name: &str, latched: &[Release]) -> Result<(), Failure> {
        if latched.contains(&self.limit) {
            return Ok(());
        }
        let texts: Vec<_> = latched.iter().map(|release| release.to_string().replace(' ', "@")).collect();
        let remedy = if texts.is_empty() { "nothing is".to_owned() } else { format!("there is: {}", texts.join(", ")) };
        Err(Failure::not_found(format!("{name}: {} is not latched; {remedy}", self.limit)))
    }

    /// Writes the register that asks for it, and nudges its reader.
    async fn ask(
        &self,
        runtime: &Runtime<RedisBus>,
        owner: &Owner,
        desired: &impl Serialize,
        (name, reader): (&str, &str),
    ) -> Result<(), Failure> {
        set_register(runtime, owner, desired).await?;
        let nudge = Message::new(owner.inbox().clone(), Inbox::VERSION, r#"{"kind":"Control"}"#);
        patiently(runtime, || runtime.bus.nudge(owner, &nudge)).await?;
        print(&format!("{name}: {} is to be released; its {reader} does it at once, or when it starts\n", self.limit))
    }
}

/// An owner's record, while its ledger is open.
async fn record(runtime: &Runtime<RedisBus>, owner: &Owner, whose: &str) -> Result<Record, Failure> {
    let record = patiently(runtime, || runtime.bus.record(owner)).await?.filter(|record| !record.closed);
    record.ok_or_else(|| Failure::not_found(format!("no open ledger of {whose}")))
}

/// What an owner's register holds.
async fn present<T: DeserializeOwned>(
    runtime: &Runtime<RedisBus>,
    owner: &Owner,
    name: &str,
) -> Result<Option<T>, Failure> {
    let present = patiently(runtime, || runtime.bus.desired(owner)).await?;
    let present = present.map(|desired| serde_json::from_str(&desired.value)).transpose();
    present.map_err(|error| Failure::refused(format!("the register of {name}: {error}")))
}
