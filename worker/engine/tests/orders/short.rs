//! What is said where coins or cash are short: what is held is named beside what is free, where these are two figures.

use engine::messages::Side;

use crate::scripted::{Action, acting, at_600, rest};

#[test]
fn what_is_held_is_named_where_some_of_it_is_reserved() {
    let place = |side, quantity: &str| Action::Place(rest(side, quantity, "600"));
    // 5 coins and 3000 of cash.
    for (actions, said) in [
        (vec![place(Side::Sell, "6")], "needs 6 BNB, has 5; lower"),
        (vec![place(Side::Sell, "4"), place(Side::Sell, "2")], "needs 2 BNB, has 1 free of 5; lower"),
        (vec![place(Side::Buy, "6")], "needs 3600 USDT, has 3000; lower"),
        (vec![place(Side::Buy, "4"), place(Side::Buy, "2")], "needs 1200 USDT, has 600 free of 3000; lower"),
    ] {
        let mut engine = acting(&[&actions]);
        let _ = at_600(&mut engine, 0);
        let decision = engine.report().decision;
        assert_eq!(decision.reason, "InsufficientFunds");
        assert!(decision.message.contains(said), "{}", decision.message);
    }
}
