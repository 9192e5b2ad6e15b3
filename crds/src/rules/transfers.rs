//! What the schema says of transfers: each is what it was once it is there.

use super::{Rule, compare, quantity, rule, text};

pub(super) fn rules() -> [Rule; 3] {
    let at = "spec.transfers[]";
    let traded = "self.instruments.exists(i, i.symbol.startsWith(t.asset + '/') || i.symbol.endsWith('/' + t.asset))";
    let market = "self.instruments[0].symbol.split('/')";
    let same = format!("self.asset == oldSelf.asset && {} == 0", compare("self.amount", &quantity("oldSelf.amount")));
    [
        rule(
            "spec",
            ".transfers",
            format!("!has(self.transfers) || self.transfers.all(t, {traded})"),
            format!(
                "self.transfers.filter(t, !{traded})[0].asset + ' is not traded by an instrument; write ' + {market}[0] + ' or \
                 ' + {market}[1]"
            ),
        ),
        rule(
            at,
            "",
            same,
            format!(
                "'transfer ' + self.id + ' cannot be changed' + {}",
                text("; add an entry with another id instead")
            ),
        ),
        rule(
            &format!("{at}.amount"),
            "",
            format!("{} != 0", compare("self", "quantity('0')")),
            format!(
                "string(self) + ' ' + {}",
                text("is zero; write an amount above 0 to add, or one such as \"-500\" to take out")
            ),
        ),
    ]
}
