//! The figures of strategies on live prices, as lines: a table where it fits, else each one in as many short lines as it takes.
//! Pure.

use engine::time::Timestamp;

/// What is shown of a strategy in one of its markets, as text; nothing of what is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Row {
    pub name: String,
    pub symbol: String,
    pub price: Option<String>,
    /// The age of the price.
    pub age: Option<String>,
    pub orders: Option<u64>,
    pub position: Option<String>,
    pub net: Option<String>,
    pub state: String,
}

const HEAD: [&str; 8] = ["STRATEGY", "SYMBOL", "PRICE", "AGE", "ORDERS", "POSITION", "NET-PNL", "STATE"];
/// What begins a line that goes on with the one before.
const CONTINUED: &str = "    ";

impl Row {
    fn cells(&self) -> [String; 8] {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        [
            self.name.clone(),
            self.symbol.clone(),
            known(&self.price),
            known(&self.age),
            known(&self.orders.map(|orders| orders.to_string())),
            known(&self.position),
            known(&self.net),
            self.state.clone(),
        ]
    }

    /// The same in words.
    fn words(&self) -> Vec<String> {
        let Self { name, symbol, price, age, orders, position, net, state } = self;
        let mut words = vec![match price {
            Some(price) => format!("{name}: {symbol} {price}"),
            None => format!("{name}: {symbol} has no price yet"),
        }];
        words.extend(age.as_ref().map(|age| format!("{age} old")));
        words.extend(orders.map(|orders| format!("{orders} open")));
        words.extend(position.clone());
        words.extend(net.as_ref().map(|net| format!("net {net}")));
        words.push(state.clone());
        words
    }
}

/// In lines of this width at most, where nothing alone is wider.
pub(super) fn lines(feeds: &[Vec<String>], rows: &[Row], width: usize) -> Vec<String> {
    let mut lines: Vec<_> = feeds.iter().flat_map(|feed| flowing(feed, width)).collect();
    let table = table(rows);
    if table.iter().all(|line| line.chars().count() <= width) {
        lines.extend(table);
    } else {
        lines.extend(rows.iter().flat_map(|row| flowing(&row.words(), width)));
    }
    lines
}

/// In one line.
pub(super) fn line(feeds: &[Vec<String>], rows: &[Row]) -> String {
    let rows = rows.iter().map(Row::words);
    feeds.iter().cloned().chain(rows).map(|words| words.join(", ")).collect::<Vec<_>>().join("; ")
}

fn table(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let mut widths = [0; 8];
    for cells in &rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; 8]| {
        let cells: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Words with commas between them, broken only there.
fn flowing(words: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            // Two for what joins them, one for a comma behind.
            Some(line) if line.chars().count() + word.chars().count() + 3 <= width => {
                line.push_str(", ");
                line.push_str(word);
            }
            Some(line) => {
                line.push(',');
                lines.push(format!("{CONTINUED}{word}"));
            }
            None => lines.push(word.clone()),
        }
    }
    lines
}

/// `0.3 s`, `42 s`, `7 min`
pub(super) fn age(now: Timestamp, then: Timestamp) -> String {
    match now.millis_since(then).max(0) {
        millis @ 0..10_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        millis @ 10_000..180_000 => format!("{} s", millis / 1_000),
        millis => format!("{} min", millis / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_as_exactly_as_they_matter() {
        let told = |millis: i64| age(Timestamp::from_millis(1_000_000 + millis), Timestamp::from_millis(1_000_000));
        assert_eq!(
            [0_i64, 349, 9_999, 10_000, 179_999, 180_000].map(told),
            ["0.0 s", "0.3 s", "9.9 s", "10 s", "179 s", "3 min"]
        );
        assert_eq!(told(-5_000), "0.0 s", "the venue's clock is ahead");
    }

    fn grid() -> Row {
        Row {
            name: "grid".to_owned(),
            symbol: "BTC/USDT".to_owned(),
            price: Some("61000.50".to_owned()),
            age: Some("0.3 s".to_owned()),
            orders: Some(2),
            position: Some("0.1 BTC + 5 USDT".to_owned()),
            net: Some("-1.20 USDT".to_owned()),
            state: "Trading".to_owned(),
        }
    }

    fn feed() -> Vec<String> {
        vec!["feed binance-spot: up".to_owned(), "heard of 0.6 s ago".to_owned()]
    }

    #[test]
    fn a_wide_terminal_has_a_table_and_a_narrow_one_no_broken_figure() {
        assert_eq!(
            lines(&[feed()], &[grid()], 90),
            [
                "feed binance-spot: up, heard of 0.6 s ago",
                "STRATEGY  SYMBOL    PRICE     AGE    ORDERS  POSITION          NET-PNL     STATE",
                "grid      BTC/USDT  61000.50  0.3 s  2       0.1 BTC + 5 USDT  -1.20 USDT  Trading",
            ]
        );
        assert_eq!(
            lines(&[feed()], &[grid()], 37),
            [
                "feed binance-spot: up,",
                "    heard of 0.6 s ago",
                "grid: BTC/USDT 61000.50, 0.3 s old,",
                "    2 open, 0.1 BTC + 5 USDT,",
                "    net -1.20 USDT, Trading",
            ]
        );
        for width in 30..90 {
            let lines = lines(&[feed()], &[grid(), grid()], width);
            assert!(lines.iter().all(|line| line.len() <= width), "{width}: {lines:#?}");
        }
    }

    #[test]
    fn off_a_terminal_it_is_one_line_and_what_is_not_known_is_not_told() {
        assert_eq!(
            line(&[feed()], &[grid()]),
            "feed binance-spot: up, heard of 0.6 s ago; grid: BTC/USDT 61000.50, 0.3 s old, 2 open, 0.1 BTC + 5 USDT, \
             net -1.20 USDT, Trading"
        );
        let waiting = Row {
            name: "grid".to_owned(),
            symbol: "BTC/USDT".to_owned(),
            state: "WaitingForMarketData".to_owned(),
            ..Row::default()
        };
        assert_eq!(line(&[], std::slice::from_ref(&waiting)), "grid: BTC/USDT has no price yet, WaitingForMarketData");
        let shown = "grid      BTC/USDT  -      -    -       -         -        WaitingForMarketData";
        assert_eq!(lines(&[], &[waiting], 90)[1], shown);
    }
}
