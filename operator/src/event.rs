//! Kubernetes Events: on transitions only.

use crds::condition::{ACCEPTED, Condition, ConditionStatus, READY};
use engine::messages::AlertKind;
use engine::report::{Report, TransferState};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};

use crate::context::Context;
use crate::reason::Reason;

/// The longest note the API server takes.
const NOTE_MAX: usize = 1000;

/// Tells that an annotation is not acted on, and what to write.
pub async fn refuse(context: &Context, object: &ObjectReference, reason: Reason, note: String) {
    let event = Event {
        type_: EventType::Warning,
        reason: reason.as_str().to_owned(),
        note: Some(note),
        action: "Release".to_owned(),
        secondary: None,
    };
    publish(context, object, event).await;
}

/// Tells of each transfer that is refused and was not before, or for another reason.
pub async fn tell_refused_transfers(
    context: &Context,
    object: &ObjectReference,
    before: Option<&Report>,
    after: Option<&Report>,
) {
    let known = before.map_or(&[][..], |report| &report.transfers);
    let all = after.map_or(&[][..], |report| &report.transfers);
    for transfer in all.iter().filter(|one| one.state == TransferState::Refused && !known.contains(one)) {
        let event = Event {
            type_: EventType::Warning,
            reason: AlertKind::TransferRefused.as_str().to_owned(),
            note: Some(transfer.message.chars().take(NOTE_MAX).collect()),
            action: "Transfer".to_owned(),
            secondary: None,
        };
        publish(context, object, event).await;
    }
}

/// Tells that an edit is followed by the pod that runs.
pub async fn tell_followed(context: &Context, object: &ObjectReference, generation: i64) {
    let event = Event {
        type_: EventType::Normal,
        reason: Reason::EditFollowed.as_str().to_owned(),
        note: Some(format!("generation {generation} is followed without a new pod")),
        action: "Edit".to_owned(),
        secondary: None,
    };
    publish(context, object, event).await;
}

async fn publish(context: &Context, object: &ObjectReference, event: Event) {
    if let Err(error) = context.recorder.publish(&event, object).await {
        context.metrics.event_lost();
        tracing::warn!(%error, reason = event.reason, note = event.note, "an Event was lost");
    }
}

/// Tells the transitions between two sets of conditions. A lost Event is only logged: the conditions tell the
/// same.
pub async fn tell(context: &Context, object: &ObjectReference, before: &[Condition], after: &[Condition]) {
    for condition in after.iter().filter(|condition| condition.type_ == READY || condition.type_ == ACCEPTED) {
        let old = before.iter().find(|old| old.type_ == condition.type_);
        if old.is_some_and(|old| old.status == condition.status && old.reason == condition.reason) {
            continue;
        }
        if condition.type_ == ACCEPTED && old.is_none() && condition.status == ConditionStatus::True {
            continue;
        }
        let type_ = match condition.status {
            // It trades, but a human should look.
            ConditionStatus::True if condition.reason == Reason::LimitReached.as_str() => EventType::Warning,
            ConditionStatus::True => EventType::Normal,
            ConditionStatus::False | ConditionStatus::Unknown if is_usual(&condition.reason) => EventType::Normal,
            ConditionStatus::False | ConditionStatus::Unknown => EventType::Warning,
        };
        let note: String = condition.message.chars().take(NOTE_MAX).collect();
        let event = Event {
            type_,
            reason: condition.reason.clone(),
            note: Some(if note.is_empty() { condition.reason.clone() } else { note }),
            action: condition.type_.clone(),
            secondary: None,
        };
        publish(context, object, event).await;
    }
}

fn is_usual(reason: &str) -> bool {
    matches!(
        reason,
        "Starting" | "Stopping" | "MarketDataEnded" | "Stopped" | "Paused" | "WaitingForMarketData" | "WarmingUp"
    )
}
