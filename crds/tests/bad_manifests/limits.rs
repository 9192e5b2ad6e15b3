//! Limits, exits and transfers: each at its bounds, one step beyond, and what they must be to each other.

use crds::manifest::read;

use crate::{ACCOUNT, STRATEGY, check, errors, with_line};

#[test]
fn limits_of_an_account() {
    let with = |limits: &str| format!("{ACCOUNT}  limits:\n{limits}\n");
    for good in [
        "    {}",
        "    maxExposure: {USDT: \"0.000000001\", BTC: 1}\n    maxOrderNotional: {USDT: 1000}\n    maxOrdersPerMinute: 600",
        "    maxOrdersPerMinute: 1",
    ] {
        assert!(read("good.yaml", &with(good)).is_ok(), "{:?}", read("good.yaml", &with(good)));
    }
    for (limits, message) in [
        (
            "    maxExposure: {USDT: 0}",
            "bad.yaml:20: spec.limits.maxExposure.USDT: 0 would deny every order; write an amount above 0",
        ),
        (
            "    maxOrderNotional: {USDT: \"0.0\"}",
            "bad.yaml:20: spec.limits.maxOrderNotional.USDT: 0.0 would deny every order; write an amount above 0",
        ),
        (
            "    maxExposure:\n      usdt: 5",
            "bad.yaml:21: spec.limits.maxExposure.usdt: \"usdt\" is not an asset; write capital letters and digits, like USDT",
        ),
        ("    maxOrdersPerMinute: 0", "bad.yaml:20: spec.limits.maxOrdersPerMinute: 0 is out of range; write 1 to 600"),
        (
            "    maxOrdersPerMinute: 601",
            "bad.yaml:20: spec.limits.maxOrdersPerMinute: 601 is out of range; write 1 to 600",
        ),
        (
            "    maxExposures: {USDT: 5}",
            "bad.yaml:20: spec.limits.maxExposures: unknown field; did you mean maxExposure?",
        ),
    ] {
        assert_eq!(errors(&with(limits)), message);
    }
}

/// Each limit and each rule at its bounds, and one step beyond.
#[test]
fn limits_and_exits_of_a_strategy() {
    let percent = "is out of range; write above 0, up to 100, or leave it out";
    let price = "is out of range; write a price above 0 and below 1000000000, or leave it out";
    let profit = "is out of range; write above 0, up to 100000, or leave it out";
    let cases = [
        ("risk", "maxDrawdownPercent", &["\"0.000000001\"", "100"][..], &["0", "\"100.000000001\""][..], percent),
        ("risk", "maxDailyLossPercent", &["\"0.000000001\"", "100"], &["0", "\"100.000000001\""], percent),
        ("risk", "priceCollarPercent", &["\"0.000000001\"", "100"], &["0", "\"100.000000001\""], percent),
        ("risk", "maxConsecutiveLosses", &["0", "1000"], &["1001"], "is out of range; write 0 to 1000"),
        ("exit", "stopLossPercent", &["\"0.000000001\"", "100"], &["0", "\"100.000000001\""], percent),
        ("exit", "giveBackPercent", &["\"0.000000001\"", "100"], &["0", "\"100.000000001\""], percent),
        ("exit", "takeProfitPercent", &["\"0.000000001\"", "100000"], &["0", "\"100000.000000001\""], profit),
        ("exit", "belowPrice", &["\"0.000000001\"", "\"999999999.999999999\""], &["0", "1000000000"], price),
        ("exit", "abovePrice", &["\"0.000000001\"", "\"999999999.999999999\""], &["0", "1000000000"], price),
        ("exit", "afterHours", &["1", "87600"], &["0", "87601"], "is out of range; write 1 to 87600"),
    ];
    for (part, field, good, bad, remedy) in cases {
        let text = |value: &str| {
            with_line(STRATEGY, 16, &format!("  {part}:\n"))
                .replace("    maxOrdersPerMinute: 10", &format!("    {field}: {value}"))
        };
        for value in good {
            assert!(read("good.yaml", &text(value)).is_ok(), "{part}.{field}: {value}");
        }
        for value in bad {
            let (told, value) = (errors(&text(value)), value.trim_matches('"'));
            assert_eq!(told, format!("bad.yaml:17: spec.{part}.{field}: {value} {remedy}"));
        }
    }
}

#[test]
fn what_limits_and_exits_must_be_to_each_other() {
    check(
        STRATEGY,
        &[
            (
                17,
                "    maxExposure: {BNB: 1}",
                "bad.yaml:17: spec.risk.maxExposure.BNB: BNB is not the quote asset of an instrument; write USDT",
            ),
            (
                17,
                "    maxExposure: {USDT: 0}",
                "bad.yaml:17: spec.risk.maxExposure.USDT: 0 would deny every order; write an amount above 0",
            ),
            (
                17,
                "    cooldown: {rejects: 0}",
                "bad.yaml:17: spec.risk.cooldown.rejects: 0 is out of range; write 1 to 100",
            ),
            (
                17,
                "    cooldown: {seconds: 86401}",
                "bad.yaml:17: spec.risk.cooldown.seconds: 86401 is out of range; write 1 to 86400",
            ),
            (
                18,
                "  exit: {belowPrice: 600, abovePrice: \"600.0\"}",
                "bad.yaml:18: spec.exit.belowPrice: 600 is not below abovePrice 600.0, so it would end at once; lower one or raise \
                 the other",
            ),
        ],
    );
    for good in [
        "    cooldown: {}",
        "    cooldown: {rejects: 100, seconds: 86400}\n    onBreach: Flatten\n    maxExposure: {USDT: \"0.000000001\"}",
        "    onBreach: CancelOrders\n  exit: {}",
        "    onBreach: StopOpening\n  exit: {belowPrice: \"599.99\", abovePrice: 600, action: StopOpening}",
    ] {
        let text = with_line(STRATEGY, 17, &format!("{good}\n"));
        assert!(read("good.yaml", &text).is_ok(), "{:?}", read("good.yaml", &text));
    }
}

#[test]
fn what_a_transfer_must_be() {
    let at = |entries: &str| format!("  transfers: [{entries}]\n");
    let told = |entries: &str| errors(&with_line(STRATEGY, 18, &at(entries)));
    for (entries, words) in [
        (
            "{id: a, asset: USDT, amount: 0}",
            "[0].amount: 0 is zero; write an amount above 0 to add, or one such as \"-500\" to take out",
        ),
        (
            "{id: a, asset: USDT, amount: 1}, {id: a, asset: BNB, amount: 2}",
            "[1].id: a is written twice; give each transfer an id of its own",
        ),
        ("{id: a, asset: ETH, amount: 1}", "[0].asset: ETH is not traded by an instrument; write BNB or USDT"),
        (
            "{id: a, asset: usdt, amount: 1}",
            "[0].asset: \"usdt\" is not an asset; write capital letters and digits, like USDT",
        ),
        ("{id: a, asset: USDT, amount: -5}", "[0].amount: -5 is not a plain number; write \"-5\""),
        ("{id: a, asset: USDT, amount: -2.5}", "[0].amount: -2.5 is a float; write \"-2.5\""),
        ("{id: a, asset: USDT, amount: 2.5}", "[0].amount: 2.5 is a float; write \"2.5\""),
        (
            "{id: a, asset: USDT, amount: \"-0.0000000001\"}",
            "[0].amount: \"-0.0000000001\" is not a plain decimal; write it like \"-500\" or \"-612.50\", with at most 15 digits \
             before and 9 after the point",
        ),
        (
            "{id: a, asset: USDT, amount: \"0.12345678912\"}",
            "[0].amount: \"0.12345678912\" has more than 9 digits after the point; round it to 9",
        ),
        ("{asset: USDT, amount: 1}", "[0].id: missing; this field must be written"),
    ] {
        let told = told(entries);
        assert!(told.starts_with(&format!("bad.yaml:18: spec.transfers{words}")), "{entries}: {told}");
    }
    let many =
        |count: u32| (0..count).map(|n| format!("{{id: t{n}, asset: USDT, amount: 1}}")).collect::<Vec<_>>().join(", ");
    assert_eq!(told(&many(101)), "bad.yaml:18: spec.transfers: 101 entries; write 0 to 100");
    for good in [
        &*many(100),
        "{id: a, asset: BNB, amount: \"-0.000000001\"}, {id: b, asset: USDT, amount: \"999999999999999.999999999\"}",
        "",
    ] {
        let text = with_line(STRATEGY, 18, &at(good));
        assert!(read("good.yaml", &text).is_ok(), "{:?}", read("good.yaml", &text));
    }
}
