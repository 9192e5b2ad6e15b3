//! What the schema says of transfers: each is what it was once it is there.

use super::{Rule, compare, quantity, rule, text};

pub(super) fn rules() -> [Rule; 3] {
    let at = "spec.transfers[]";
    let traded = "self.instruments.exists(i, i.symbol.startsWith(t.asset + '/') || i.symbol.endsWith('/' + t.asset))";
    let same = format!("self.asset == oldSelf.asset && {} == 0", compare("self.amount", &quantity("oldSelf.amount")));
    [
        rule(
            "spec",
            ".transfers",
            format!("!has(self.transfers) || self.transfers.all(t, {traded})"),
            // To find the entry, or to write its asset, costs more than the API server allows.
            text("an asset is not traded by an instrument; write the base or the quote of one"),
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
