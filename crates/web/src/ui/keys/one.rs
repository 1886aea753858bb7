//! The page of a key: how it was used, and what it may do.

use axum::extract::{Path, State};
use axum::response::Response;
use keybell_app::App;
use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, Outcome};

use super::list::row;
use super::{key_of, list_of, old_secret, verifies_without_scopes};
use crate::problem::Answer;
use crate::ui::charts::{Outcomes, Timeline, Words, bars, grouped};
use crate::ui::fields::Fields;
use crate::ui::period::Period;
use crate::ui::signed::Inside;
use crate::ui::view::frame::Section;
use crate::ui::view::keys::{KeyPage, OldSecret};
use crate::ui::view::parts::When;
use crate::ui::{page, rate_limit};

pub(super) async fn one(
    State(app): State<App>,
    here: Inside,
    Path((_, id)): Path<(String, String)>,
    query: Fields,
) -> Answer<Response> {
    let key = key_of(&app, &here, &id).await?;
    let (now, period, list) = (app.now(), Period::of(&query), list_of(&here));
    let used = app.key_usage(here.grant::<ReadKeys>()?, key.id, period.question(now)).await?;
    let used = Timeline::of(used, period.step(), |sum: &mut Counts, more| *sum += *more);
    let networks = key.allowed_networks.iter().map(ToString::to_string).collect();
    let limits = key
        .rate_limits
        .iter()
        .map(|limit| (rate_limit::in_words(limit.limit, limit.window_seconds), limit.name.clone()))
        .collect();
    let is_without_scopes = verifies_without_scopes(&key, now);
    let old = old_secret(&key, now);
    let key = row(&app, &here, &list, key, now);
    Ok(page(&KeyPage {
        frame: here.frame(Section::Keys),
        periods: period.choices(&key.href),
        chart: bars("requests", Words::REQUESTS, period.spoken(), &used.map(Outcomes::of_requests)),
        refusals: refusals(used.values()),
        is_without_scopes,
        networks,
        limits,
        old_secret: old.map(|old| OldSecret {
            last_used: old.last_used_at.map(When::near),
            ends: When::near(old.expires_at),
        }),
        key,
        list,
    })?)
}

/// How often a key was refused, and why, the most frequent first.
fn refusals<'a>(used: impl Iterator<Item = &'a Counts>) -> Vec<(&'static str, String)> {
    let mut sum = Counts::default();
    used.for_each(|counts| sum += *counts);
    let mut refusals: Vec<_> =
        sum.iter().filter_map(|(outcome, count)| Some((spoken(outcome)?, count))).collect();
    refusals.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    refusals.into_iter().map(|(why, count)| (why, grouped(count))).collect()
}

/// Why a key was refused, in words; `None` where it was not.
const fn spoken(outcome: Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Valid => return None,
        Outcome::RateLimited => "Over a rate limit",
        Outcome::Revoked => "The key was revoked",
        Outcome::Disabled => "The key was disabled",
        Outcome::Expired => "The key had expired",
        Outcome::SecretRotatedOut => "An old secret, after its overlap",
        Outcome::WrongEnvironment => "Meant for the other environment",
        Outcome::SourceNotAllowed => "From a network that is not allowed",
        Outcome::InsufficientScope => "Without a scope that was needed",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_by_how_often_they_came() {
        let mut counts = Counts::of(Outcome::Valid, 9);
        counts.add(Outcome::RateLimited, 2);
        counts.add(Outcome::InsufficientScope, 1_000);
        let told = refusals([counts, Counts::of(Outcome::RateLimited, 1)].iter());
        let expected = [("Without a scope that was needed", "1,000"), ("Over a rate limit", "3")];
        assert_eq!(told, expected.map(|(why, count)| (why, count.to_owned())));
    }
}
