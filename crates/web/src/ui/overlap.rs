//! How long an old secret stays good beside its new one: the choices of a rotation.

use std::time::Duration;

use super::fields::Fields;

/// The choices: seconds, and words.
const OVERLAPS: [(u64, &str); 4] =
    [(0, "Now"), (3_600, "In an hour"), (86_400, "In 24 hours"), (604_800, "In 7 days")];

/// The one that a form chose; `None` where it chose none that there is.
pub(super) fn chosen(form: &Fields) -> Option<Duration> {
    let seconds: u64 = form.one("overlap").parse().ok()?;
    OVERLAPS.iter().find(|(known, _)| *known == seconds).map(|(seconds, _)| Duration::from_secs(*seconds))
}

/// All of them: seconds, words, whether chosen.
pub(super) fn choices(chosen: Duration) -> Vec<(u64, &'static str, bool)> {
    OVERLAPS.iter().map(|(seconds, words)| (*seconds, *words, *seconds == chosen.as_secs())).collect()
}

#[cfg(test)]
mod tests {
    use keybell_app::keys::{OVERLAP_DEFAULT, OVERLAP_MAX};

    use super::*;

    #[test]
    fn only_what_is_offered_can_be_chosen_and_what_is_usual_is_offered() {
        let read = |text: &str| chosen(&Fields::read(format!("overlap={text}").as_bytes()));
        assert_eq!(read("3600"), Some(Duration::from_hours(1)));
        assert_eq!([read("3601"), read(""), read("soon")], [None; 3]);
        assert_eq!(choices(OVERLAP_DEFAULT).iter().filter(|(_, _, chosen)| *chosen).count(), 1);
        assert!(OVERLAPS.iter().all(|(seconds, _)| *seconds <= OVERLAP_MAX.as_secs()));
    }
}
