//! What the schemas say by CEL: relations between fields, and what must not change.
//!
//! The same rules stand in the kinds' `validate()`, for files; here they are for the API server, which refuses
//! with the same words. Decimals are compared as quantities, because one may be an integer or a text.

mod ladder;
mod limits;
mod signals;
mod transfers;

use engine::instrument::Asset;
use engine::numbers::ExactDecimal;
use serde_json::{Map, Value, json};

use crate::ENTRIES_MAX;
use crate::account::{BOTH, NO_FILE};
use crate::name::{NOT_A_NAME, ResourceName, TOO_LONG};
use crate::symbol::SPOT_ONLY;

/// A rule at one place of a schema.
#[derive(Debug, Clone)]
struct Rule {
    /// Where, such as `spec.strategy.grid`; `[]` is a list's item, `*` a map's value.
    at: String,
    /// The field below it that is refused, where it is not the place itself.
    field: &'static str,
    /// What must hold.
    holds: String,
    /// CEL for the words of the refusal.
    told: String,
}

/// Writes the rules of a kind into its schema.
pub(crate) fn add(kind: &str, schema: &mut Value) {
    let own = match kind {
        "TradingStrategy" => strategy(schema),
        "TradingAccount" => account(schema),
        _ => Vec::new(),
    };
    for Rule { at, field, holds, told } in names().into_iter().chain(own) {
        let mut validation = Map::new();
        if !field.is_empty() {
            validation.insert("fieldPath".to_owned(), json!(field));
        }
        validation.insert("messageExpression".to_owned(), json!(told));
        validation.insert("rule".to_owned(), json!(holds));
        if let Some(place) = find(schema, &at).and_then(Value::as_object_mut) {
            let validations = place.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
            validations.as_array_mut().into_iter().for_each(|all| all.push(Value::Object(validation.clone())));
            place.sort_keys();
        }
    }
}

/// Whether a schema is a union: exactly one of its fields must be written.
pub(crate) fn is_union(schema: &Value) -> bool {
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return false };
    let one = exactly_one(&fields.keys().map(String::as_str).collect::<Vec<_>>());
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    rules.into_iter().flatten().any(|validation| validation["rule"] == one)
}

fn find<'a>(schema: &'a mut Value, at: &str) -> Option<&'a mut Value> {
    let steps = at.split('.').filter(|step| !step.is_empty());
    steps.into_iter().try_fold(schema, |schema, step| match step.strip_suffix("[]") {
        Some(list) => schema.get_mut("properties")?.get_mut(list)?.get_mut("items"),
        None if step == "*" => schema.get_mut("additionalProperties"),
        None => schema.get_mut("properties")?.get_mut(step),
    })
}

/// Names of both kinds: pods, owners and keys are called after them.
fn names() -> Vec<Rule> {
    let name = "self.metadata.name";
    let told = |remedy: &str| format!("'metadata.name: \"' + {name} + '\" ' + {}", text(remedy));
    vec![
        rule("", "", format!("{name}.size() <= {}", ResourceName::LENGTH_MAX), told(TOO_LONG)),
        rule("", "", format!("!{name}.contains('.')"), told(NOT_A_NAME)),
    ]
}

fn strategy(schema: &mut Value) -> Vec<Rule> {
    let mut rules = vec![only_up("status.epoch", None), fixed_text("spec.accountRef.name", "strategy")];
    rules.extend(union(schema, "spec.strategy", "strategy"));
    rules.push(fixed_text("spec.strategy.custom.name", "strategy"));
    rules.extend(instruments());
    rules.extend(capital());
    rules.extend(transfers::rules());
    rules.extend(grid());
    rules.extend(ladder::rules());
    rules.extend(signals::rules());
    rules.extend(risk());
    rules.extend(limits::limits());
    rules.extend(limits::exit());
    rules.extend(orders());
    rules
}

fn account(schema: &mut Value) -> Vec<Rule> {
    let mut rules = vec![only_up("status.epoch", None), only_up("status.feed.epoch", Some("status.feed.source"))];
    rules.extend(union(schema, "spec.venue", "account"));
    rules.extend(union(schema, "spec.marketData", "account"));
    rules.push(one_member(schema, "spec.marketData.binance.proxy"));
    let paper = "spec.venue.paper";
    rules.push(assets(&format!("{paper}.balances")));
    for name in ["makerPercent", "takerPercent"] {
        let at = format!("{paper}.fees.{name}");
        rules.push(decimal(&at, &[("<=", "10")], "is out of range; write 0 to 10"));
        let remedy = "has more than 4 digits after the point; fees are never rounded";
        let told = format!("string(self) + ' ' + {}", text(remedy));
        rules.push(rule(&at, "", format!("{} <= 4", places("self")), told));
    }
    let bounds = [(">", "0"), ("<=", "1000000")];
    let replay = "spec.marketData.replay";
    let one = "has(self.file) != has(self.files)";
    let told = format!("has(self.file) ? self.file + ' ' + {} : {}", text(BOTH), text(NO_FILE));
    rules.push(rule(replay, "", one, told));
    rules.push(is_spot(&format!("{replay}.files[].symbol")));
    rules.push(decimal("spec.marketData.replay.speed", &bounds, "is out of range; write above 0, up to 1000000"));
    rules.extend(limits::of_account());
    rules
}

fn instruments() -> Vec<Rule> {
    let at = "spec.instruments";
    let kept = "self.size() == oldSelf.size() && self.all(i, oldSelf.exists(o, o.symbol == i.symbol))";
    // Only the first of each is told: the text of a whole list has no bound that the API server could count on.
    let first = |of: &str| format!("{of}[0].symbol");
    let told =
        format!("{} + ' cannot be changed from ' + {} + {}", first("self"), first("oldSelf"), second("strategy"));
    let count = number("self.instruments.size()", 2, ENTRIES_MAX);
    let mut rules = vec![
        rule(at, "", kept, told),
        of_one_market("grid", "the grid", &count),
        of_one_market("ladder", "the ladder", &count),
        of_one_market("positionControl", "positionControl", &count),
        rule(
            &format!("{at}[].symbol"),
            "",
            "self.split('/')[0] != self.split('/')[1]",
            "'\"' + self + '\" is not BASE/QUOTE in capital letters and digits; write it like BTC/USDT'",
        ),
        is_spot(&format!("{at}[].symbol")),
    ];
    let steps = format!("{at}[].rules");
    for name in ["tickSize", "lotSize"] {
        let remedy = "is zero; write the venue's step, such as \"0.01\"";
        rules.push(decimal(&format!("{steps}.{name}"), &[(">", "0")], remedy));
    }
    let together = format!("{} + {}", places("self.tickSize"), places("self.lotSize"));
    let most = engine::instrument::Rules::PLACES_MAX;
    let told = format!(
        "string(self.lotSize) + ' and tickSize have ' + {} + ' digits after the point together; at most {most} stay exact'",
        number(&together, 13, 18)
    );
    rules.push(rule(&steps, ".lotSize", format!("{together} <= {most}"), told));
    rules
}

/// A member that trades one market, and how a text calls it.
fn of_one_market(member: &str, called: &str, count: &str) -> Rule {
    rule(
        "spec",
        ".instruments",
        format!("!has(self.strategy.{member}) || self.instruments.size() <= 1"),
        format!("{count} + ' entries, but {called} trades exactly one; keep one and create a strategy for each other'"),
    )
}

/// What is no spot market has its settlement behind a colon.
fn is_spot(at: &str) -> Rule {
    let told = format!("self + ' is a derivative; ' + {}", text(SPOT_ONLY));
    rule(at, "", "!self.contains(':')", told)
}

fn capital() -> Vec<Rule> {
    let traded = "self.instruments.exists(i, k in i.symbol.split('/'))";
    let market = "self.instruments[0].symbol.split('/')";
    let same = format!("k in oldSelf && {} == 0", compare("self[k]", &quantity("oldSelf[k]")));
    let other = format!("!(k in self) || {} != 0", compare("self[k]", &quantity("oldSelf[k]")));
    let fixed = second("strategy");
    let added = format!("self.filter(k, !(k in oldSelf))[0] + ' cannot be added' + {fixed}");
    let changed =
        format!("oldSelf.filter(k, {other}).map(k, k + ' cannot be changed from ' + string(oldSelf[k]) + {fixed})[0]");
    vec![
        rule(
            "spec",
            ".capital",
            format!("self.capital.all(k, {traded})"),
            format!(
                "self.capital.filter(k, !{traded})[0] + ' is not traded by an instrument; write ' + {market}[0] + ' or ' \
                 + {market}[1]"
            ),
        ),
        rule(
            "spec.capital",
            "",
            format!("self.exists(k, {} > 0)", compare("self[k]", "quantity('0')")),
            "'all amounts are 0; give the strategy something to trade with'",
        ),
        rule(
            "spec.capital",
            "",
            format!("self.size() == oldSelf.size() && self.all(k, {same})"),
            format!("self.exists(k, !(k in oldSelf)) ? {added} : {changed}"),
        ),
    ]
}

fn grid() -> Vec<Rule> {
    let at = "spec.strategy.grid";
    let leaf = |name: &str, bounds: &[(&str, &str)], remedy: &str| decimal(&format!("{at}.{name}"), bounds, remedy);
    vec![
        leaf(
            "basePrice",
            &[(">", "0"), ("<", "1000000000")],
            "is out of range; write a price above 0 and below 1000000000, or leave it out for the first tick's",
        ),
        leaf(
            "gridSizePercent",
            &[(">=", "0.01"), ("<=", "50")],
            "is out of range; write 0.01 to 50, in quotes if it has a point",
        ),
        leaf("flipThresholdFactor", &[("<=", "1")], "is out of range; write 0 to 1, in quotes if it has a point"),
        leaf("orderPercent", &[(">", "0"), ("<=", "100")], "is out of range; write above 0, up to 100"),
        leaf("quantity", &[(">", "0")], "is zero; write an amount above 0, or orderPercent instead"),
        leaf("maxSlippagePercent", &[("<=", "10")], "is out of range; write 0 to 10, in quotes if it has a point"),
        rule(
            at,
            ".quantity",
            "!has(self.quantity) || !has(self.orderPercent)",
            "string(self.quantity) + ' and orderPercent are both set; keep one'",
        ),
    ]
}

fn risk() -> Vec<Rule> {
    let at = "spec.risk";
    let quote = "self.instruments.exists(i, i.symbol.endsWith('/' + k))";
    let first = "self.instruments[0].symbol.split('/')[1]";
    let limits = "self.risk.maxOrderNotional";
    let remedy = "is out of range; write 0 to 100";
    vec![
        decimal(&format!("{at}.minPositionPercent"), &[("<=", "100")], remedy),
        decimal(&format!("{at}.maxPositionPercent"), &[("<=", "100")], remedy),
        position(),
        decimal(&format!("{at}.maxOrderNotional.*"), &[(">", "0")], "would deny every order; write an amount above 0"),
        rule(
            "spec",
            ".risk.maxOrderNotional",
            format!("!has({limits}) || {limits}.all(k, {quote})"),
            format!("{limits}.filter(k, !{quote})[0] + ' is not the quote asset of an instrument; write ' + {first}"),
        ),
    ]
}

/// The position limits against each other: what is not written is the program's default, of strategies that have one.
fn position() -> Rule {
    let (least, most) = ("self.risk.minPositionPercent", "self.risk.maxPositionPercent");
    let written = |limit: &str, default: &str| format!("(has({limit}) ? string({limit}) : '{default}')");
    let (min, max) = (written(least, "10"), written(most, "90"));
    let none = "has(self.strategy.custom) || has(self.strategy.process)";
    rule(
        "spec",
        ".risk.minPositionPercent",
        format!("(({none}) && !(has({least}) && has({most}))) || quantity({min}).compareTo(quantity({max})) < 0"),
        format!("{min} + ' is not below maxPositionPercent ' + {max} + '; lower one or raise the other'"),
    )
}

/// What could never be traded, seen without any price.
fn orders() -> Vec<Rule> {
    let limits = "self.risk.maxOrderNotional";
    let quote = "i.symbol.split('/')[1]";
    let limit = format!("{limits}[{quote}]");
    let most = compare(&limit, &quantity("i.rules.minNotional"));
    let passes = format!("!has(i.rules) || !({quote} in {limits}) || {most} >= 0");
    let mut rules = vec![rule(
        "spec",
        ".risk.maxOrderNotional",
        format!("!has({limits}) || self.instruments.all(i, {passes})"),
        // To find the instrument, or to write the figures, costs more than the API server allows.
        text("a limit is below the minNotional of an instrument, so no order could pass; raise it"),
    )];
    rules.extend(within_steps("grid", ".strategy.grid.basePrice", ".strategy.grid.quantity"));
    rules.extend(within_steps("ladder", ".strategy.ladder.lowerPrice", ".strategy.ladder.quantity"));
    rules
}

/// A price and a size of a strategy of one market, against its steps.
fn within_steps(name: &str, price_at: &'static str, size_at: &'static str) -> [Rule; 2] {
    let (strategy, steps) = (format!("self.strategy.{name}"), "self.instruments[0].rules");
    let (price, tick) = (format!("self{price_at}"), format!("{steps}.tickSize"));
    let (size, lot) = (format!("self{size_at}"), format!("{steps}.lotSize"));
    let none =
        |field: &str| format!("!has({strategy}) || !has({field}) || self.instruments.size() != 1 || !has({steps})");
    [
        rule(
            "spec",
            price_at,
            format!("{} || {} >= 0", none(&price), compare(&price, &quantity(&tick))),
            format!(
                "string({price}) + ' is below tickSize ' + string({tick}) + '; write the tick size of this market'"
            ),
        ),
        rule(
            "spec",
            size_at,
            format!("{} || {}", none(&size), is_multiple(&size, &lot)),
            format!("string({size}) + ' is not a multiple of lotSize ' + string({lot}) + '; write a multiple of it'"),
        ),
    ]
}

/// Whether a decimal is a multiple of another one. Both are brought to whole numbers by the other's digits after
/// the point; what has more than 18 digits then, no whole number of the API server holds, and it passes.
fn is_multiple(decimal: &str, step: &str) -> String {
    let scale = places(step);
    let digits = |decimal: &str| {
        let zeros = format!("(string({decimal}) + '.000000000').split('.')");
        format!("({zeros}[0] + ({zeros}[1] + '000000000').substring(0, {scale}))")
    };
    let (all, one) = (digits(decimal), digits(step));
    format!("{} <= {scale} && ({all}.size() > 18 || int({one}) == 0 || int({all}) % int({one}) == 0)", places(decimal))
}

fn rule(at: &str, field: &'static str, holds: impl Into<String>, told: impl Into<String>) -> Rule {
    Rule { at: at.to_owned(), field, holds: holds.into(), told: told.into() }
}

/// Exactly one member, and always the same.
fn union(schema: &mut Value, at: &str, noun: &str) -> [Rule; 2] {
    let same: Vec<String> =
        members(schema, at).iter().map(|member| format!("has(self.{member}) == has(oldSelf.{member})")).collect();
    let fixed = format!("the member cannot be changed; create a second {noun} instead");
    [one_member(schema, at), rule(at, "", same.join(" && "), text(&fixed))]
}

/// Exactly one member.
fn one_member(schema: &mut Value, at: &str) -> Rule {
    let members = members(schema, at);
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let one = text(&format!("write exactly one of: {}", members.join(", ")));
    let has: Vec<String> = members.iter().map(|member| format!("has(self.{member})")).collect();
    let told = format!("({} ? 'several members are set; ' : 'no member is set; ') + {one}", has.join(" || "));
    rule(at, "", exactly_one(&members), told)
}

fn members(schema: &mut Value, at: &str) -> Vec<String> {
    let fields = find(schema, at).and_then(|union| union.get("properties")).and_then(Value::as_object);
    fields.into_iter().flat_map(Map::keys).cloned().collect()
}

/// The rule of a union, by which it is known as one.
pub(crate) fn exactly_one(members: &[&str]) -> String {
    let has: Vec<String> = members.iter().map(|member| format!("has(self.{member})")).collect();
    format!("[{}].exists_one(set, set)", has.join(", "))
}

/// A text that stays as it was created.
fn fixed_text(at: &str, noun: &str) -> Rule {
    let told = format!("'\"' + self + '\" cannot be changed from \"' + oldSelf + '\"' + {}", second(noun));
    rule(at, "", "self == oldSelf", told)
}

/// A count in the status that never goes back, nor away. At the root, because a rule at the field is not asked
/// when the field goes. Where it counts of something that has a name in the status, another one has a count of its own.
fn only_up(path: &str, of: Option<&str>) -> Rule {
    let has = |of: &str| {
        let steps: Vec<&str> = path.split('.').collect();
        let parts = (1..=steps.len()).map(|n| format!("has({of}.{})", steps[..n].join(".")));
        parts.collect::<Vec<_>>().join(" && ")
    };
    let rises = format!("self.{path} >= oldSelf.{path}");
    let rises = of.map_or_else(|| rises.clone(), |of| format!("(self.{of} != oldSelf.{of} || {rises})"));
    let kept = format!("{} && {rises}", has("self"));
    let told = format!("'{path}: is below what it was; an epoch only goes up'");
    rule("", "", format!("!({}) || ({kept})", has("oldSelf")), told)
}

/// Keys of a map of amounts.
fn assets(at: &str) -> Rule {
    let asset = format!("k.matches('{}')", Asset::PATTERN);
    let told = format!(
        "'\"' + self.filter(k, !{asset})[0] + '\" is not an asset; write capital letters and digits, like USDT'"
    );
    rule(at, "", format!("self.all(k, {asset})"), told)
}

/// A decimal within bounds.
fn decimal(at: &str, bounds: &[(&str, &str)], remedy: &str) -> Rule {
    let holds =
        bounds.iter().map(|(sign, bound)| format!("{} {sign} 0", compare("self", &format!("quantity('{bound}')"))));
    rule(at, "", holds.collect::<Vec<_>>().join(" && "), format!("string(self) + ' ' + {}", text(remedy)))
}

fn quantity(decimal: &str) -> String {
    format!("quantity(string({decimal}))")
}

fn compare(decimal: &str, other: &str) -> String {
    format!("{}.compareTo({other})", quantity(decimal))
}

/// How many digits a decimal has after the point, without zeros at its end.
fn places(decimal: &str) -> String {
    format!("string({decimal}).find('[.][0-9]*[1-9]').replace('.', '').size()")
}

/// A whole number as text: the API server takes `string()` of one for a text without bound.
fn number(counted: &str, least: usize, most: usize) -> String {
    let texts: Vec<String> = (least..=most).map(|number| format!("'{number}'")).collect();
    format!("[{}][{counted} - {least}]", texts.join(", "))
}

/// What to do instead of changing what cannot be changed.
fn second(noun: &str) -> String {
    text(&format!("; create a second {noun} instead"))
}

/// A text of CEL.
fn text(plain: &str) -> String {
    format!("'{}'", plain.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The least of a decimal that the API server compares exactly: a quantity has no more digits.
const _: () =
    assert!(ExactDecimal::LENGTH_MAX == 25, "a quantity rounds up what has more than 9 digits after the point");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::definitions;

    fn schema(definition: &Value) -> &Value {
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    }

    fn count(schema: &Value) -> usize {
        let here = |(key, value): (&String, &Value)| match (key.as_str(), value) {
            ("x-kubernetes-validations", Value::Array(rules)) => rules.len(),
            (_, value) => count(value),
        };
        match schema {
            Value::Object(fields) => fields.iter().map(here).sum(),
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }

    #[test]
    fn every_rule_finds_its_place() {
        let counts: Vec<usize> = definitions().iter().map(|definition| count(schema(definition))).collect();
        let of = |kind: fn(&mut Value) -> Vec<Rule>, definition: &Value| {
            names().len() + kind(&mut schema(definition).clone()).len()
        };
        let all = definitions();
        assert_eq!(counts, [of(account, &all[0]), of(strategy, &all[1])]);
    }

    /// What of `schema` has no bound, by path.
    fn unbounded(schema: &Value, path: &str, found: &mut Vec<String>) {
        let has = |keyword: &str| schema.get(keyword).is_some();
        let bounded = match schema["type"].as_str() {
            Some("array") => has("maxItems"),
            Some("object") if has("additionalProperties") => has("maxProperties"),
            Some("string") => has("maxLength") || has("enum"),
            Some("integer") => has("minimum") && has("maximum"),
            _ => true,
        };
        if !bounded {
            found.push(path.to_owned());
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            unbounded(field, &format!("{path}.{name}"), found);
        }
        for (inner, step) in [("items", "[]"), ("additionalProperties", ".*")] {
            if has(inner) {
                unbounded(&schema[inner], &format!("{path}{step}"), found);
            }
        }
    }

    #[test]
    fn everything_in_a_spec_has_a_bound() {
        for definition in definitions() {
            let mut found = Vec::new();
            unbounded(&schema(&definition)["properties"]["spec"], "spec", &mut found);
            assert_eq!(found, Vec::<String>::new());
        }
    }
}
