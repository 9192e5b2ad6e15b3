//! What the writer of an unknown word most likely means.

/// The candidate nearest to `word`, if one is near: another case, one the beginning of the other, or a few
/// letters apart.
pub(super) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let begins = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        lower.len() >= 3 && candidate.len() >= 3 && (candidate.starts_with(&lower) || lower.starts_with(&candidate))
    };
    let distance = |candidate: &str| strsim::osa_distance(&lower, &candidate.to_lowercase());
    let closest = candidates.iter().min_by_key(|candidate| distance(candidate)).copied();
    let limit = lower.chars().count() / 3;
    closest
        .filter(|candidate| distance(candidate) <= limit)
        .or_else(|| candidates.iter().find(|candidate| begins(candidate)).copied())
}

/// The end of a refusal of `word`: the nearest candidate, else all of them.
pub(super) fn did_you_mean(word: &str, candidates: &[&str], all: &str) -> String {
    match nearest(word, candidates) {
        Some(candidate) => format!("did you mean {candidate}?"),
        None => format!("{all} {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let fields = ["basePrice", "gridSizePercent", "orderPercent", "quantity"];
        for (word, expected) in [
            ("gridSize", Some("gridSizePercent")),
            ("baseprice", Some("basePrice")),
            ("quantiy", Some("quantity")),
            ("orderPercentage", Some("orderPercent")),
            ("stopLoss", None),
            ("q", None),
        ] {
            assert_eq!(nearest(word, &fields), expected, "{word}");
        }
        assert_eq!(did_you_mean("lefft", &["left", "b"], "known here:"), "did you mean left?");
        assert_eq!(did_you_mean("x", &["left", "b"], "known here:"), "known here: left, b");
    }
}
