//! What a human's release of a crash loop asks: the annotation `glm.trading/release: "CrashLoop COUNT"`. Pure.

use crate::names::RELEASE_ANNOTATION;
use crate::placement::Ends;
use crate::reason::Reason;

/// What it comes to. An annotation that was looked at is taken off: left there, it would release the next loop unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// Nobody asks.
    Unasked,
    /// It is tried again.
    Now,
    /// It is not acted on, of what it is, and why.
    Refused(Reason, String),
}

impl Release {
    /// Whether an annotation was looked at, and so must be taken off.
    pub const fn is_asked(&self) -> bool {
        match self {
            Self::Unasked => false,
            Self::Now | Self::Refused(..) => true,
        }
    }

    /// Why it is not acted on.
    pub fn refused(&self) -> Option<(Reason, &str)> {
        match self {
            Self::Unasked | Self::Now => None,
            Self::Refused(reason, why) => Some((*reason, why)),
        }
    }
}

fn refused(reason: Reason, text: &str, remedy: &str) -> Release {
    let text: String = text.chars().take(SHOWN_MAX).collect();
    Release::Refused(reason, format!("{RELEASE_ANNOTATION}: {text:?} is not acted on and was removed; {remedy}"))
}

/// What an annotation asks of a strategy: what its register must hold, and what becomes of the annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRelease {
    /// What its worker is to release.
    pub register: Option<engine::risk::Release>,
    /// Whether the annotation was looked at to its end.
    pub annotation: Release,
}

/// What an annotation asks of what is latched in a strategy. The worker does it by its register, once; when `latched` shows
/// it no more, that is done. `latched` is none where the worker's word cannot be read; `asked` is what the register that the
/// worker follows holds already.
pub fn asked_limit_release(
    annotation: Option<&str>,
    latched: Option<&[engine::risk::Release]>,
    asked: Option<&engine::risk::Release>,
) -> LimitRelease {
    let none = |annotation| LimitRelease { register: None, annotation };
    let Some(text) = annotation.filter(|text| !text.starts_with("CrashLoop") && *text != FORMER) else {
        return none(Release::Unasked);
    };
    let Some(latched) = latched else {
        return LimitRelease { register: asked.cloned(), annotation: Release::Unasked };
    };
    let named = latched.iter().map(|release| format!("\"{release}\"")).collect::<Vec<_>>().join(" or ");
    let remedy = if named.is_empty() { "nothing is latched".to_owned() } else { format!("write {named}") };
    let release: engine::risk::Release = match text.parse() {
        Ok(release) => release,
        Err(error) => return none(refused(Reason::LimitReached, text, &format!("{error}; {remedy}"))),
    };
    match (latched.contains(&release), asked == Some(&release)) {
        (true, _) => LimitRelease { register: Some(release), annotation: Release::Unasked },
        // Kept until the annotation is gone, so that it is known as done.
        (false, true) => LimitRelease { register: Some(release), annotation: Release::Now },
        (false, false) => none(refused(Reason::LimitReached, text, &remedy)),
    }
}

/// What the release before wrote here for another purpose, see `finalizer`.
const FORMER: &str = "now";

/// As much of an annotation as an Event shows.
const SHOWN_MAX: usize = 40;

/// What an annotation asks of processes with these ends. Other words than CrashLoop ask others.
pub fn asked_release<'a>(annotation: Option<&str>, ends: impl IntoIterator<Item = Option<&'a Ends>>) -> Release {
    let Some((text, count)) = annotation.and_then(|text| Some((text, text.strip_prefix("CrashLoop")?))) else {
        return Release::Unasked;
    };
    let loops: Vec<u32> = ends.into_iter().flatten().filter(|ends| ends.is_loop()).map(|ends| ends.count).collect();
    match (count.trim().parse::<u32>(), loops.first()) {
        (Ok(count), Some(_)) if loops.contains(&count) => Release::Now,
        (_, Some(count)) => refused(Reason::CrashLoop, text, &format!("write \"CrashLoop {count}\"")),
        (_, None) => refused(Reason::CrashLoop, text, "nothing is in a crash loop"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_count_that_stands_in_the_status_releases() {
        let ends = |count| Ends { count, ..Ends::default() };
        let (four, five, six) = (ends(4), ends(5), ends(6));
        let refused = |release: &Release| matches!(release, Release::Refused(..));
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
        let Release::Refused(_, why) = asked_release(Some("CrashLoop 4"), [Some(&five)]) else {
            panic!("it is refused")
        };
        assert!(why.ends_with("write \"CrashLoop 5\""), "{why}");
    }

    #[test]
    fn a_limit_is_released_by_its_name_and_since_and_the_annotation_goes_once_it_is() {
        let release = |text: &str| text.parse::<engine::risk::Release>().unwrap();
        let (first, later) = ("maxDrawdownPercent 2026-01-01T00:00:00Z", "maxDrawdownPercent 2026-01-02T00:00:00Z");
        let latched = [release(first), release("belowPrice 2026-01-01T00:00:00Z")];
        let asked =
            |text, latched, asked: Option<&str>| asked_limit_release(text, latched, asked.map(release).as_ref());
        let unasked = LimitRelease { register: None, annotation: Release::Unasked };
        for text in [None, Some("CrashLoop 5"), Some("now")] {
            assert_eq!(asked(text, Some(&latched), None), unasked);
        }
        let told = |annotation| LimitRelease { register: Some(release(first)), annotation };
        assert_eq!(asked(Some(first), Some(&latched), None), told(Release::Unasked), "the worker is told");
        assert_eq!(asked(Some(first), Some(&latched), Some(first)), told(Release::Unasked), "it has not done it yet");
        assert_eq!(asked(Some(first), None, Some(first)), told(Release::Unasked), "nobody can say");
        assert_eq!(asked(Some(first), None, None), unasked);
        assert_eq!(asked(Some(first), Some(&latched[1..]), Some(first)), told(Release::Now), "done");
        assert_eq!(asked(None, Some(&latched[1..]), Some(first)), unasked, "and out of the register");
        let refused = |text, latched| match asked(Some(text), Some(latched), None) {
            LimitRelease { register: None, annotation: Release::Refused(Reason::LimitReached, why) } => why,
            other => panic!("{text}: {other:?}"),
        };
        let both = format!("write {first:?} or \"belowPrice 2026-01-01T00:00:00Z\"");
        assert!(refused(later, &latched[..]).ends_with(&both));
        assert!(refused("maxDrawdown", &latched[..]).ends_with(&both));
        assert!(refused(first, &latched[1..]).ends_with("write \"belowPrice 2026-01-01T00:00:00Z\""));
        assert!(refused(first, &[]).ends_with("nothing is latched"));
    }
}
