//! Lines of an account that are good, or wrong.

use super::By::{Both, BothAlike, File, Nobody};
use super::{Case, MATCH};

pub(super) const ACCOUNTS: &[Case] = &[
    (17, "      speed: \"0.5\"", "", Nobody),
    (17, "      speed: 1000000", "", Nobody),
    (13, "      latencyMs: 60000", "", Nobody),
    (11, "        takerPercent: \"0.10000\"", "", Nobody),
    (
        11,
        "        takerPercent: \"10.1\"",
        "spec.venue.paper.fees.takerPercent",
        BothAlike("10.1 is out of range; write 0 to 10"),
    ),
    (
        11,
        "        makerPercent: \"0.00001\"",
        "spec.venue.paper.fees.makerPercent",
        BothAlike("0.00001 has more than 4 digits after the point; fees are never rounded"),
    ),
    (12, "        paidIn: Base", "spec.venue.paper.fees.paidIn", Both("Base is not known here", "Unsupported value")),
    (
        9,
        "        usdt: 1",
        "spec.venue.paper.balances.usdt",
        BothAlike("\"usdt\" is not an asset; write capital letters and digits, like USDT"),
    ),
    (
        13,
        "      latencyMs: 60001",
        "spec.venue.paper.latencyMs",
        Both("60001 is out of range; write 0 to 60000", "less than or equal to 60000"),
    ),
    (
        17,
        "      speed: 0",
        "spec.marketData.replay.speed",
        BothAlike("0 is out of range; write above 0, up to 1000000"),
    ),
    (
        17,
        "      speed: \"1000000.1\"",
        "spec.marketData.replay.speed",
        BothAlike("1000000.1 is out of range; write above 0, up to 1000000"),
    ),
    (16, "      file: data/prices.csv", "spec.marketData.replay.file", Both("has a folder; write the bare", MATCH)),
    (16, "      file: ../prices.csv", "spec.marketData.replay.file", Both("has a folder; write the bare", MATCH)),
    (
        18,
        "      repeat: \"no\"",
        "spec.marketData.replay.repeat",
        Both("is text; write false", "must be of type boolean"),
    ),
    (
        18,
        "      repeat: yes",
        "spec.marketData.replay.repeat",
        File("yes is not read alike by all programs; write true"),
    ),
    (
        18,
        "  limits:\n    maxExposure: {USDT: \"0.01\", BTC: 1}\n    maxOrderNotional: {USDT: 1}\n    maxOrdersPerMinute: 600",
        "",
        Nobody,
    ),
    (18, "  limits: {}", "", Nobody),
    (
        18,
        "  limits: {maxExposure: {USDT: 0}}",
        "spec.limits.maxExposure.USDT",
        BothAlike("0 would deny every order; write an amount above 0"),
    ),
    (
        18,
        "  limits: {maxOrderNotional: {usdt: 1}}",
        "spec.limits.maxOrderNotional.usdt",
        BothAlike("\"usdt\" is not an asset; write capital letters and digits, like USDT"),
    ),
    (
        18,
        "  limits: {maxOrdersPerMinute: 601}",
        "spec.limits.maxOrdersPerMinute",
        Both("601 is out of range; write 1 to 600", "less than or equal to 600"),
    ),
    (17, "      speed: null", "spec.marketData.replay.speed", File("has no value; write one, or leave the field out")),
    (4, "  name: a.b", "metadata.name", BothAlike("\"a.b\" is not a name; write small letters")),
];
