//! How often somebody may try a password: counted in memory, by e-mail address and by network address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keybell_core::{Code, Problem, Timestamp};

/// Attempts at one account's password in [`WINDOW`]: a person who forgot which one it was does not need more.
pub(crate) const ATTEMPTS_PER_EMAIL_MAX: u32 = 10;
/// Attempts from one address (for IPv6 its /64) in [`WINDOW`]: an office behind one address can still sign in on Monday.
pub(crate) const ATTEMPTS_PER_ADDRESS_MAX: u32 = 100;
/// How long an attempt counts.
pub(crate) const WINDOW: Duration = Duration::from_mins(15);
/// Addresses and e-mail addresses remembered at once, each. Where they are full of living ones, a new one takes the
/// place of the one that would be forgotten first.
pub(crate) const REMEMBERED_MAX: usize = 10_000;

/// The attempts of the last minutes.
pub(crate) struct Throttle {
    emails: Mutex<Counts<String>>,
    addresses: Mutex<Counts<IpAddr>>,
}

/// Attempts by whom, with the end of their window.
struct Counts<K>(HashMap<K, (u32, Timestamp)>);

impl Throttle {
    pub(crate) fn new() -> Self {
        Throttle { emails: Mutex::new(Counts(HashMap::new())), addresses: Mutex::new(Counts(HashMap::new())) }
    }

    /// Counts an attempt, or refuses it with the time to wait. Counted before the password is looked at, so that many at
    /// once are not more than many one after the other.
    pub(crate) fn attempt(
        &self,
        email: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        if let Some(address) = address {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            addresses.count(&network_of(address), ATTEMPTS_PER_ADDRESS_MAX, now)?;
        }
        let mut emails = self.emails.lock().unwrap_or_else(PoisonError::into_inner);
        emails.count(&email.to_owned(), ATTEMPTS_PER_EMAIL_MAX, now)
    }

    /// Forgets the attempts at an account, since its person is here.
    pub(crate) fn succeeded(&self, email: &str) {
        self.emails.lock().unwrap_or_else(PoisonError::into_inner).0.remove(email);
    }
}

impl<K: Hash + Eq + Clone> Counts<K> {
    fn count(&mut self, who: &K, most: u32, now: Timestamp) -> Result<(), Problem> {
        if !self.0.contains_key(who) && self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, (_, ends)| *ends > now);
            if self.0.len() >= REMEMBERED_MAX {
                let first = self.0.iter().min_by_key(|(_, (_, ends))| *ends).map(|(who, _)| who.clone());
                first.and_then(|first| self.0.remove(&first));
            }
        }
        let (count, ends) = self.0.entry(who.clone()).or_insert((0, now + WINDOW));
        if *ends <= now {
            (*count, *ends) = (0, now + WINDOW);
        }
        if *count >= most {
            let seconds = ends.since(now).as_secs() + 1;
            let minutes = seconds.div_ceil(60);
            let wait = if minutes == 1 { "a minute".to_owned() } else { format!("{minutes} minutes") };
            let detail = format!("Too many attempts to sign in. Wait {wait}, then try again.");
            return Err(Problem::new(Code::RateLimited, detail).retry_after(seconds));
        }
        *count += 1;
        Ok(())
    }
}

/// Whoever has one IPv6 address has 2⁶⁴ of them.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_447_916);

    #[test]
    fn one_attempt_past_the_limit_waits_for_the_window_to_end() {
        let throttle = Throttle::new();
        for _ in 0..ATTEMPTS_PER_EMAIL_MAX {
            throttle.attempt("a@example.com", None, NOW).expect("within the limit");
        }
        let refused = throttle.attempt("a@example.com", None, NOW).expect_err("one past it");
        assert_eq!((refused.code, refused.retry_after_seconds), (Code::RateLimited, Some(901)));
        assert!(throttle.attempt("b@example.com", None, NOW).is_ok(), "another person is not meant");
        assert!(throttle.attempt("a@example.com", None, NOW + WINDOW).is_ok());
    }

    #[test]
    fn a_sign_in_forgets_the_attempts_before_it() {
        let throttle = Throttle::new();
        for _ in 0..3 * ATTEMPTS_PER_EMAIL_MAX {
            throttle.attempt("a@example.com", None, NOW).expect("forgotten each time");
            throttle.succeeded("a@example.com");
        }
    }

    #[test]
    fn one_address_cannot_try_everybody_and_a_64_is_one_address() {
        let throttle = Throttle::new();
        for guess in 0..ATTEMPTS_PER_ADDRESS_MAX {
            let address = format!("2001:db8::{guess:x}").parse().ok();
            throttle.attempt(&format!("{guess}@example.com"), address, NOW).expect("within the limit");
        }
        let other_of_the_64 = "2001:db8::ffff".parse().ok();
        assert!(throttle.attempt("x@example.com", other_of_the_64, NOW).is_err());
        assert!(throttle.attempt("x@example.com", "2001:db8:0:1::1".parse().ok(), NOW).is_ok());
    }

    #[test]
    fn memory_holds_at_its_limit_and_one_past_it() {
        let mut counts = Counts(HashMap::new());
        for who in 0..=REMEMBERED_MAX {
            counts.count(&who, 1, NOW + Duration::from_micros(who as u64)).expect("the first of each");
            assert!(counts.0.len() <= REMEMBERED_MAX);
        }
        assert!(!counts.0.contains_key(&0), "the oldest gave way");
    }
}
