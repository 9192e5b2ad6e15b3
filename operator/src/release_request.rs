//! What a human's release of a crash loop asks: the annotation `glm.trading/release: "CrashLoop COUNT"`. Pure.

use crate::names::RELEASE_ANNOTATION;
use crate::placement::Ends;

/// What it comes to. An annotation that was looked at is taken off: left there, it would release the next loop unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// Nobody asks.
    Unasked,
    /// It is tried again.
    Now,
    /// It is not acted on, and why.
    Refused(String),
}

impl Release {
    /// Whether an annotation was looked at, and so must be taken off.
    pub const fn is_asked(&self) -> bool {
        match self {
            Self::Unasked => false,
            Self::Now | Self::Refused(_) => true,
        }
    }

    /// Why it is not acted on.
    pub fn refused(&self) -> Option<&str> {
        match self {
            Self::Unasked | Self::Now => None,
            Self::Refused(why) => Some(why),
        }
    }
}

/// As much of an annotation as an Event shows.
const SHOWN_MAX: usize = 40;

/// What an annotation asks of processes with these ends. Other words than CrashLoop ask others.
pub fn asked_release<'a>(annotation: Option<&str>, ends: impl IntoIterator<Item = Option<&'a Ends>>) -> Release {
    let Some((text, count)) = annotation.and_then(|text| Some((text, text.strip_prefix("CrashLoop")?))) else {
        return Release::Unasked;
    };
    let loops: Vec<u32> = ends.into_iter().flatten().filter(|ends| ends.is_loop()).map(|ends| ends.count).collect();
    let text: String = text.chars().take(SHOWN_MAX).collect();
    match (count.trim().parse::<u32>(), loops.first()) {
        (Ok(count), Some(_)) if loops.contains(&count) => Release::Now,
        (_, Some(count)) => Release::Refused(format!(
            "{RELEASE_ANNOTATION}: {text:?} is not acted on and was removed; write \"CrashLoop {count}\""
        )),
        (_, None) => Release::Refused(format!(
            "{RELEASE_ANNOTATION}: {text:?} is not acted on and was removed; nothing is in a crash loop"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_count_that_stands_in_the_status_releases() {
        let ends = |count| Ends { count, ..Ends::default() };
        let (four, five, six) = (ends(4), ends(5), ends(6));
        let refused = |release: &Release| matches!(release, Release::Refused(_));
        for (annotation, all, expected) in [
            (None, vec![Some(&five)], Some(Release::Unasked)),
            (Some("now"), vec![Some(&five)], Some(Release::Unasked)),
            (Some("maxDrawdownPercent 2026-01-01T00:00:00Z"), vec![Some(&five)], Some(Release::Unasked)),
            (Some("CrashLoop 5"), vec![Some(&five)], Some(Release::Now)),
            (Some("CrashLoop 6"), vec![Some(&five), Some(&six)], Some(Release::Now)),
            (Some("CrashLoop 5"), vec![None, Some(&five)], Some(Release::Now)),
            (Some("CrashLoop 4"), vec![Some(&five)], None),
            (Some("CrashLoop"), vec![Some(&five)], None),
            (Some("CrashLoop 5x"), vec![Some(&five)], None),
            (Some("CrashLoop 4"), vec![Some(&four)], None),
            (Some("CrashLoop 5"), vec![None], None),
        ] {
            let asked = asked_release(annotation, all.clone());
            assert!(
                expected.as_ref().map_or_else(|| refused(&asked), |expected| *expected == asked),
                "{annotation:?}: {asked:?}"
            );
        }
        let Release::Refused(why) = asked_release(Some("CrashLoop 4"), [Some(&five)]) else { panic!("it is refused") };
        assert!(why.ends_with("write \"CrashLoop 5\""), "{why}");
    }
}
