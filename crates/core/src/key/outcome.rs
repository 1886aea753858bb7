//! What came of checking a key, as it is counted for the key's owners.

use std::ops::AddAssign;

use crate::Code;

/// What came of checking a key whose secret was proved. What proves no secret is nobody's use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was let through.
    Valid,
    /// It was used more often than it may be.
    RateLimited,
    /// It was revoked before.
    Revoked,
    /// It was switched off.
    Disabled,
    /// Its time was over.
    Expired,
    /// It was an old secret after the end of its overlap.
    SecretRotatedOut,
    /// It belongs to another environment than was asked for.
    WrongEnvironment,
    /// It came from where it may not be used.
    SourceNotAllowed,
    /// It lacks a scope that was asked for.
    InsufficientScope,
}

impl Outcome {
    /// Every outcome. Its place is its number in the database, so new ones are added at the end.
    pub const ALL: [Outcome; 9] = [
        Outcome::Valid,
        Outcome::RateLimited,
        Outcome::Revoked,
        Outcome::Disabled,
        Outcome::Expired,
        Outcome::SecretRotatedOut,
        Outcome::WrongEnvironment,
        Outcome::SourceNotAllowed,
        Outcome::InsufficientScope,
    ];

    /// Of a refusal; `None` where it is no decision about a key that was proved.
    pub const fn of_code(code: Code) -> Option<Outcome> {
        Some(match code {
            Code::RateLimited => Outcome::RateLimited,
            Code::KeyRevoked => Outcome::Revoked,
            Code::KeyDisabled => Outcome::Disabled,
            Code::KeyExpired => Outcome::Expired,
            Code::SecretRotatedOut => Outcome::SecretRotatedOut,
            Code::WrongEnvironment => Outcome::WrongEnvironment,
            Code::SourceNotAllowed => Outcome::SourceNotAllowed,
            Code::InsufficientScope => Outcome::InsufficientScope,
            _ => return None,
        })
    }

    /// Its word in the API: `valid`, or the code of the refusal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Valid => "valid",
            Outcome::RateLimited => Code::RateLimited.as_str(),
            Outcome::Revoked => Code::KeyRevoked.as_str(),
            Outcome::Disabled => Code::KeyDisabled.as_str(),
            Outcome::Expired => Code::KeyExpired.as_str(),
            Outcome::SecretRotatedOut => Code::SecretRotatedOut.as_str(),
            Outcome::WrongEnvironment => Code::WrongEnvironment.as_str(),
            Outcome::SourceNotAllowed => Code::SourceNotAllowed.as_str(),
            Outcome::InsufficientScope => Code::InsufficientScope.as_str(),
        }
    }
}

/// How often each outcome came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Outcome::ALL.len()]);

impl Counts {
    /// So many of one outcome.
    pub fn of(outcome: Outcome, count: u64) -> Counts {
        let mut counts = Counts::default();
        counts.add(outcome, count);
        counts
    }

    /// How often that outcome came.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// Adds so many of one outcome; past 2⁶⁴ it stays there.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        let cell = &mut self.0[outcome as usize];
        *cell = cell.saturating_add(count);
    }

    /// The outcomes that came, in the order of [`Outcome::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        for (outcome, count) in other.iter() {
            self.add(outcome, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_a_proved_key_has_its_outcome_and_its_word() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
            let code = Code::ALL.iter().find(|code| code.as_str() == outcome.as_str());
            assert_eq!(code.and_then(|code| Outcome::of_code(*code)), code.map(|_| outcome));
        }
        assert_eq!(Outcome::of_code(Code::InvalidKey), None);
        assert_eq!(
            Code::ALL.iter().filter_map(|code| Outcome::of_code(*code)).count(),
            Outcome::ALL.len() - 1
        );
    }

    #[test]
    fn counts_add_up_and_stay_at_the_end() {
        let mut counts = Counts::of(Outcome::Valid, 2);
        counts += Counts::of(Outcome::RateLimited, u64::MAX);
        counts += Counts::of(Outcome::RateLimited, 1);
        let told: Vec<_> = counts.iter().collect();
        assert_eq!(told, [(Outcome::Valid, 2), (Outcome::RateLimited, u64::MAX)]);
        assert_eq!(counts.count(Outcome::Revoked), 0);
    }
}
