//! The command `ledger release`: asks a worker, by its register, to release what is latched.

use bus::{Message, RedisBus, StateStore as _};
use clap::Args;
use crds::record::REPORT;
use crds::roles::{StrategyDesired, StrategySpec};
use engine::messages::{Document as _, Inbox};
use engine::report::Report;
use engine::risk::Release;

use super::{Target, scope};
use crate::fleet::AccountGroup;
use crate::fleet::provision::set_register;
use crate::process::exit::{Failure, print};
use crate::roles::Runtime;
use crate::roles::session::patiently;

/// What of which strategy.
#[derive(Debug, Args)]
pub struct Named {
    /// Whose: --strategy, where the manifest has several.
    #[command(flatten)]
    pub(super) target: Target,
    /// The name and since of a latched limit, or of the exit's rule, as the status shows them.
    #[arg(long, value_name = "NAME@SINCE")]
    limit: Release,
}

impl Named {
    pub(super) async fn release(&self, runtime: &Runtime<RedisBus>, group: &AccountGroup) -> Result<(), Failure> {
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
        let record = patiently(runtime, || runtime.bus.record(&owner)).await?.filter(|record| !record.closed);
        let record = record.ok_or_else(|| Failure::not_found(format!("no open ledger of strategy {name}")))?;
        let report: Option<Report> = record.fields.get(REPORT).and_then(|report| serde_json::from_str(report).ok());
        let latched = report.map(|report| report.latched()).unwrap_or_default();
        if !latched.contains(&self.limit) {
            let texts: Vec<_> = latched.iter().map(|release| release.to_string().replace(' ', "@")).collect();
            let remedy =
                if texts.is_empty() { "nothing is".to_owned() } else { format!("there is: {}", texts.join(", ")) };
            return Err(Failure::not_found(format!("{name}: {} is not latched; {remedy}", self.limit)));
        }
        let present = patiently(runtime, || runtime.bus.desired(&owner)).await?;
        let present = present.map(|desired| serde_json::from_str::<StrategyDesired>(&desired.value)).transpose();
        let present = present.map_err(|error| Failure::refused(format!("the register of {name}: {error}")))?;
        let desired = present.unwrap_or_else(|| StrategyDesired::of(&spec.spec, spec.generation));
        set_register(runtime, &owner, &StrategyDesired { release: Some(self.limit.clone()), ..desired }).await?;
        let nudge = Message::new(owner.inbox().clone(), Inbox::VERSION, r#"{"kind":"Control"}"#);
        patiently(runtime, || runtime.bus.nudge(&owner, &nudge)).await?;
        print(&format!("{name}: {} is to be released; its worker does it at once, or when it starts\n", self.limit))
    }
}
