//! The bounds of a ladder's parameters.

use super::{Rule, compare, decimal, quantity, rule};

pub(super) fn rules() -> Vec<Rule> {
    let at = "spec.strategy.ladder";
    let leaf = |name: &str, bounds: &[(&str, &str)], remedy: &str| decimal(&format!("{at}.{name}"), bounds, remedy);
    let price = |name| {
        leaf(name, &[(">", "0"), ("<", "1000000000")], "is out of range; write a price above 0 and below 1000000000")
    };
    let (lower, upper) = ("self.lowerPrice", "self.upperPrice");
    vec![
        price("lowerPrice"),
        price("upperPrice"),
        price("triggerPrice"),
        rule(
            at,
            ".lowerPrice",
            format!("{} < 0", compare(lower, &quantity(upper))),
            format!(
                "string({lower}) + ' is not below upperPrice ' + string({upper}) + '; lower one or raise the other'"
            ),
        ),
        leaf("quantity", &[(">", "0")], "is zero; write an amount above 0, or leave it out for what the equity covers"),
        leaf("reservePercent", &[("<=", "99")], "is out of range; write 0 to 99, in quotes if it has a point"),
        leaf("maxSlippagePercent", &[("<=", "10")], "is out of range; write 0 to 10, in quotes if it has a point"),
    ]
}
