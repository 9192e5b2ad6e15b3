//! What the schemas say of strategies that follow bars.

use super::{Rule, compare, decimal, quantity, rule};

/// Words of a percentage that is a grid size.
const SIZE: &str = "is out of range; write 0.01 to 50, in quotes if it has a point";

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = adaptive();
    rules.extend(range());
    rules.extend(position_control());
    rules
}

fn position_control() -> Vec<Rule> {
    let at = "spec.strategy.positionControl";
    let leaf = |name: &str, bounds: &[(&str, &str)], remedy: &str| decimal(&format!("{at}.{name}"), bounds, remedy);
    vec![
        leaf("sellTargetPercent", &[("<=", "100")], "is out of range; write 0 to 100"),
        leaf("buyTargetPercent", &[("<=", "100")], "is out of range; write 0 to 100"),
        leaf("usePercent", &[(">", "0"), ("<=", "100")], "is out of range; write above 0, up to 100"),
        leaf("maxSlippagePercent", &[("<=", "10")], "is out of range; write 0 to 10, in quotes if it has a point"),
    ]
}

fn adaptive() -> Vec<Rule> {
    let at = "spec.strategy.grid.adaptive";
    let size = |name: &str| decimal(&format!("{at}.{name}"), &[(">=", "0.01"), ("<=", "50")], SIZE);
    let upto = |name: &str, most: &str| {
        let remedy = format!("is out of range; write 0 to {most}, in quotes if it has a point");
        decimal(&format!("{at}.{name}"), &[("<=", most)], &remedy)
    };
    vec![
        rule(
            "spec.strategy.grid",
            ".gridSizePercent",
            "!has(self.gridSizePercent) || !has(self.adaptive)",
            "string(self.gridSizePercent) + ' and adaptive are both set; keep one'",
        ),
        size("minPercent"),
        size("maxPercent"),
        size("basePercent"),
        upto("centreVolatility", "10"),
        upto("sensitivity", "1000"),
        rule(
            at,
            ".minPercent",
            format!("{} <= 0", compare("self.minPercent", &quantity("self.maxPercent"))),
            "string(self.minPercent) + ' is above maxPercent ' + string(self.maxPercent) + '; lower it or raise the other'",
        ),
    ]
}

fn range() -> Vec<Rule> {
    let at = "spec.strategy.grid.range";
    let price = |name: &str| {
        let remedy = "is out of range; write a price above 0 and below 1000000000";
        decimal(&format!("{at}.{name}"), &[(">", "0"), ("<", "1000000000")], remedy)
    };
    vec![
        price("lowerPrice"),
        price("upperPrice"),
        rule(
            at,
            ".lowerPrice",
            format!("{} < 0", compare("self.lowerPrice", &quantity("self.upperPrice"))),
            "string(self.lowerPrice) + ' is not below upperPrice ' + string(self.upperPrice) + \
             '; lower it or raise the other'",
        ),
    ]
}
