//! An entry of a strategy's inbox as its gateway writes it and its worker reads it: the news, and beside it what lets
//! the worker find out that an earlier entry never came.

use std::collections::BTreeMap;

use engine::instrument::Asset;
use engine::messages::{Document, Inbox};
use engine::numbers::Notional;
use serde::{Deserialize, Serialize};

/// What a strategy owns at its account, by asset.
pub type Holdings = BTreeMap<Asset, Notional>;

/// One entry. Readers of the release before see the news alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The news.
    #[serde(flatten)]
    pub news: Inbox,
    /// What the strategy's sub-account holds when this and all entries before it are booked; with the last entry of
    /// what was told at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_account: Option<Holdings>,
    /// The number of the last transfer that is in the sub-account; 0 before the first.
    #[serde(default, skip_serializing_if = "is_none")]
    pub transferred: u64,
    /// In the answer to a command that was given again: how many entries of the answer follow this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_none(number: &u64) -> bool {
    *number == 0
}

impl Document for Told {
    const VERSION: u32 = Inbox::VERSION;
}

impl From<Inbox> for Told {
    fn from(news: Inbox) -> Self {
        Self { news, sub_account: None, transferred: 0, repeat: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_the_news_alone_too_and_one_without_more_as_an_entry() {
        let update = serde_json::json!({"kind": "OrderUpdate", "clientOrderId": "glm-abc-1", "status": "Filled",
            "reason": "", "cumulativeQuantity": "1", "time": 0});
        let mut told: Told = serde_json::from_value(update.clone()).unwrap();
        assert_eq!((&told.sub_account, told.transferred, told.repeat), (&None, 0, None));
        let news = told.news.clone();
        told.sub_account = Some(BTreeMap::from([("BNB".parse().unwrap(), "4.5".parse().unwrap())]));
        (told.transferred, told.repeat) = (2, Some(0));
        let written = serde_json::to_value(&told).unwrap();
        assert_eq!((&written["subAccount"]["BNB"], &written["repeat"]), (&"4.5".into(), &0.into()));
        assert_eq!(serde_json::from_value::<Inbox>(written.clone()).unwrap(), news);
        assert_eq!(serde_json::from_value::<Told>(written).unwrap(), told);
        for kind in ["Control", "Recovered"] {
            let entry = serde_json::json!({"kind": kind, "highestSequence": 7});
            let told: Told = serde_json::from_value(entry.clone()).unwrap();
            assert_eq!(told.news, serde_json::from_value::<Inbox>(entry).unwrap());
        }
    }
}
