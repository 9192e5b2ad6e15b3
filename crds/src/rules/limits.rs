//! Bounds of limits and exits, as the kind's `validate()` has them.

use super::{Rule, assets, compare, decimal, quantity, rule};

/// Limits of the strategy as a whole.
pub(super) fn limits() -> Vec<Rule> {
    let at = "spec.risk";
    let remedy = "is out of range; write above 0, up to 100, or leave it out";
    let percents = ["maxDrawdownPercent", "maxDailyLossPercent", "priceCollarPercent"];
    let percent = |name: &&str| decimal(&format!("{at}.{name}"), &[(">", "0"), ("<=", "100")], remedy);
    let mut rules: Vec<Rule> = percents.iter().map(percent).collect();
    let (limits, quote) = ("self.risk.maxExposure", "self.instruments.exists(i, i.symbol.endsWith('/' + k))");
    let first = "self.instruments[0].symbol.split('/')[1]";
    rules.push(decimal(
        &format!("{at}.maxExposure.*"),
        &[(">", "0")],
        "would deny every order; write an amount above 0",
    ));
    rules.push(rule(
        "spec",
        ".risk.maxExposure",
        format!("!has({limits}) || {limits}.all(k, {quote})"),
        format!("{limits}.filter(k, !{quote})[0] + ' is not the quote asset of an instrument; write ' + {first}"),
    ));
    rules
}

/// Limits of an account, over all of its strategies.
pub(super) fn of_account() -> Vec<Rule> {
    let maps = ["spec.limits.maxExposure", "spec.limits.maxOrderNotional"];
    let remedy = "would deny every order; write an amount above 0";
    maps.iter().flat_map(|at| [assets(at), decimal(&format!("{at}.*"), &[(">", "0")], remedy)]).collect()
}

/// What ends the strategy.
pub(super) fn exit() -> Vec<Rule> {
    let at = "spec.exit";
    let mut rules = Vec::new();
    for (name, most) in [("stopLossPercent", "100"), ("takeProfitPercent", "100000"), ("giveBackPercent", "100")] {
        let remedy = format!("is out of range; write above 0, up to {most}, or leave it out");
        rules.push(decimal(&format!("{at}.{name}"), &[(">", "0"), ("<=", most)], &remedy));
    }
    for name in ["belowPrice", "abovePrice"] {
        let remedy = "is out of range; write a price above 0 and below 1000000000, or leave it out";
        rules.push(decimal(&format!("{at}.{name}"), &[(">", "0"), ("<", "1000000000")], remedy));
    }
    let (below, above) = ("self.belowPrice", "self.abovePrice");
    let told = format!(
        "string({below}) + ' is not below abovePrice ' + string({above}) + ', so it would end at once; lower one or raise \
         the other'"
    );
    let apart = format!("!has({below}) || !has({above}) || {} < 0", compare(below, &quantity(above)));
    rules.push(rule(at, ".belowPrice", apart, told));
    rules
}
