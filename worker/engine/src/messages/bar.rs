//! Stream `bars:<symbol>:<interval>`: a bar, once it has closed.

use super::Document;
use crate::market::Bar;

impl Document for Bar {
    const VERSION: u32 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    /// Outsiders read it.
    #[test]
    fn a_bar_is_the_published_document() {
        let bar = Bar {
            open_time: Timestamp::from_millis(1_700_000_040_000),
            open: "600".parse().unwrap(),
            high: "612.5".parse().unwrap(),
            low: "598.01".parse().unwrap(),
            close: "606".parse().unwrap(),
            volume: "0.25".parse().unwrap(),
            ticks: 60,
        };
        let text = r#"{"openTime":1700000040000,"open":"600","high":"612.5","low":"598.01","close":"606","volume":"0.25","ticks":60}"#;
        assert_eq!(serde_json::to_string(&bar).unwrap(), text);
        assert_eq!(serde_json::from_str::<Bar>(text).unwrap(), bar);
    }
}
