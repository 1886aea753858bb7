//! How often keys may be used: counted in memory, exactly, however many ask at once.
//!
//! A key that has no limit costs nothing here. What is counted of one that has lives only as long as it says something: a
//! limit that nobody used for a window is forgotten. A restart forgets all of it, and lets every key begin anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use keybell_core::Timestamp;
use keybell_core::key::fields::RATE_LIMITS_PER_KEY_MAX;
use keybell_core::key::gcra::{Cell, Over, Rate};
use keybell_core::key::{Asked, KeyId, LimitState, RateLimit};

/// Parts that keys are spread over, so that those who check different keys seldom meet.
const SHARDS: usize = 64;
/// Keys of a part before those are looked for whose counts say nothing any more.
const SWEPT_FROM: usize = 256;

/// A limit, ready to be counted by.
pub(crate) struct KeyLimit {
    limit: Arc<RateLimit>,
    rate: Rate,
}

impl KeyLimit {
    pub(crate) fn of(limit: RateLimit) -> KeyLimit {
        KeyLimit { rate: Rate::of(&limit), limit: Arc::new(limit) }
    }
}

/// A key was used more often than it may be.
#[derive(Debug)]
pub(crate) struct OverLimit {
    /// Its limits and what is left of them.
    pub(crate) limits: Vec<LimitState>,
    /// Seconds after which the same request fits, where it ever does.
    pub(crate) retry_after_seconds: Option<u64>,
}

/// The counts of all keys.
pub(crate) struct RateLimiter {
    /// For keys that have no limit of the same name.
    defaults: Box<[KeyLimit]>,
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    counted: HashMap<KeyId, Vec<Counted>>,
    sweep_at: usize,
}

/// What is counted of one limit of a key.
struct Counted {
    limit: Arc<RateLimit>,
    rate: Rate,
    cell: Cell,
}

impl RateLimiter {
    /// Counts by the limits of each key, and by `defaults` where a key has none of the same name.
    pub(crate) fn new(defaults: &[RateLimit]) -> RateLimiter {
        RateLimiter {
            defaults: defaults.iter().cloned().map(KeyLimit::of).collect(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Counts what is `asked` of a key with the limits `own`, by all limits that count it or, where one of them has no room,
    /// by none. Gives those limits and what is left of them.
    ///
    /// A key's limits are held while they are looked at and counted, some hundred instructions that wait for nothing; now
    /// and then also while counts that say nothing any more are thrown out. That is what makes several limits one decision.
    pub(crate) fn take(
        &self,
        id: KeyId,
        own: &[KeyLimit],
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<Vec<LimitState>, OverLimit> {
        let defaults = self
            .defaults
            .iter()
            .filter(|default| !own.iter().any(|own| own.limit.name == default.limit.name));
        let applying =
            own.iter().chain(defaults).filter(|limit| asked.request.is_counted_by(&limit.limit.name));
        let mut applying = applying.peekable();
        if applying.peek().is_none() {
            return Ok(Vec::new());
        }
        let mut shard = self.shard(id).lock().unwrap_or_else(PoisonError::into_inner);
        shard.sweep(now);
        let counted = shard.counted.entry(id).or_default();
        if counted.len() > RATE_LIMITS_PER_KEY_MAX + self.defaults.len() {
            // Limits that were renamed since: those that still count stay, or a new name would be a fresh start.
            counted.retain(|counted| !counted.rate.is_free(counted.cell, now));
        }
        let mut states = Vec::with_capacity(2);
        let (mut fits, mut never, mut wait) = (true, false, 0);
        for limit in applying {
            let place = place_of(counted, limit, now);
            let Counted { rate, cell, .. } = &counted[place];
            match rate.take(*cell, asked.cost, now) {
                Ok(after) => states.push((place, after)),
                Err(Over { retry_after_seconds }) => {
                    fits = false;
                    never |= retry_after_seconds.is_none();
                    wait = wait.max(retry_after_seconds.unwrap_or(0));
                    states.push((place, *cell));
                }
            }
        }
        if fits {
            for (place, after) in &states {
                counted[*place].cell = *after;
            }
        }
        let told = states.iter().map(|(place, _)| {
            let Counted { limit, rate, cell } = &counted[*place];
            LimitState { limit: Arc::clone(limit), left: rate.left(*cell, now) }
        });
        let limits = told.collect();
        if fits {
            Ok(limits)
        } else {
            Err(OverLimit { limits, retry_after_seconds: (!never).then_some(wait) })
        }
    }

    fn shard(&self, id: KeyId) -> &Mutex<Shard> {
        // IDs are random, so that any of their characters spreads them.
        let [.., second, last] = id.as_str().as_bytes() else { unreachable!("an ID has twelve characters") };
        &self.shards[(usize::from(*second) * 62 + usize::from(*last)) % SHARDS]
    }
}

/// Where a limit of a key is counted. A limit that was edited keeps what was counted of it.
fn place_of(counted: &mut Vec<Counted>, limit: &KeyLimit, now: Timestamp) -> usize {
    if let Some(place) = counted.iter().position(|counted| counted.limit.name == limit.limit.name) {
        let known = &mut counted[place];
        if known.rate != limit.rate {
            known.cell = limit.rate.carry_over(known.cell, known.rate, now);
            (known.limit, known.rate) = (Arc::clone(&limit.limit), limit.rate);
        }
        return place;
    }
    counted.push(Counted { limit: Arc::clone(&limit.limit), rate: limit.rate, cell: Cell::default() });
    counted.len() - 1
}

impl Shard {
    /// Forgets what says nothing any more, each time there are twice as many keys as were left the last time.
    fn sweep(&mut self, now: Timestamp) {
        if self.counted.len() < self.sweep_at.max(SWEPT_FROM) {
            return;
        }
        self.counted
            .retain(|_, counted| counted.iter().any(|counted| !counted.rate.is_free(counted.cell, now)));
        self.sweep_at = self.counted.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keybell_core::key::RequestKind;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_435_200);

    fn limit(name: &str, limit: u64, window_seconds: u64) -> RateLimit {
        RateLimit { name: name.to_owned(), limit, window_seconds }
    }

    fn own(limits: &[RateLimit]) -> Vec<KeyLimit> {
        limits.iter().cloned().map(KeyLimit::of).collect()
    }

    fn id(number: usize) -> KeyId {
        KeyId::parse(&format!("{number:012}")).expect("twelve digits")
    }

    fn asked(method: &str) -> Asked<'static> {
        Asked { request: RequestKind::of_method(method), ..Asked::default() }
    }

    fn told(taken: &Result<Vec<LimitState>, OverLimit>) -> String {
        let (word, limits) = match taken {
            Ok(limits) => ("ok", limits),
            Err(over) => ("over", &over.limits),
        };
        let left = limits.iter().map(|state| format!("{} {}", state.limit.name, state.left.remaining));
        format!("{word}: {}", left.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn a_request_that_one_limit_refuses_is_counted_by_none() {
        let limiter = RateLimiter::new(&[]);
        let limits = own(&[limit("burst", 2, 1), limit("day", 100, 86_400)]);
        let take = |at| limiter.take(id(1), &limits, &asked("GET"), at);
        assert_eq!(told(&take(NOW)), "ok: burst 1, day 99");
        assert_eq!(told(&take(NOW)), "ok: burst 0, day 98");
        assert_eq!(told(&take(NOW)), "over: burst 0, day 98");
        assert_eq!(told(&take(NOW + Duration::from_secs(1))), "ok: burst 1, day 97");
    }

    #[test]
    fn defaults_count_reads_and_writes_apart_until_a_key_has_its_own() {
        let limiter = RateLimiter::new(&[limit("reads", 100, 60), limit("writes", 25, 60)]);
        assert_eq!(told(&limiter.take(id(1), &[], &asked("GET"), NOW)), "ok: reads 99");
        assert_eq!(told(&limiter.take(id(1), &[], &asked("POST"), NOW)), "ok: writes 24");
        assert_eq!(told(&limiter.take(id(1), &[], &Asked::default(), NOW)), "ok: reads 98, writes 23");
        assert_eq!(told(&limiter.take(id(1), &[], &asked("OPTIONS"), NOW)), "ok: ");
        let more = own(&[limit("reads", 1_000, 60), limit("burst", 10, 1)]);
        assert_eq!(told(&limiter.take(id(2), &more, &asked("GET"), NOW)), "ok: reads 999, burst 9");
    }

    #[test]
    fn an_edit_of_a_limit_gives_nobody_a_fresh_start() {
        let limiter = RateLimiter::new(&[]);
        let ten = own(&[limit("minute", 10, 60)]);
        let nine = Asked { cost: 9, ..Asked::default() };
        assert_eq!(told(&limiter.take(id(1), &ten, &nine, NOW)), "ok: minute 1");
        let hundred = own(&[limit("minute", 100, 60)]);
        assert_eq!(told(&limiter.take(id(1), &hundred, &Asked::default(), NOW)), "ok: minute 90");
    }

    #[test]
    fn what_costs_more_than_a_limit_ever_allows_is_told_no_time() {
        let limiter = RateLimiter::new(&[]);
        let limits = own(&[limit("second", 5, 1), limit("minute", 100, 60)]);
        let six = Asked { cost: 6, ..Asked::default() };
        let over = limiter.take(id(1), &limits, &six, NOW).expect_err("more than five at once");
        assert_eq!(
            (over.retry_after_seconds, told(&Err(over))),
            (None, "over: second 5, minute 100".to_owned())
        );
    }

    #[test]
    fn limits_that_were_renamed_are_not_kept_for_ever() {
        let limiter = RateLimiter::new(&[]);
        for number in 0..1_000_u64 {
            let renamed = own(&[limit(&format!("n{number}"), 10, 1)]);
            let now = NOW + Duration::from_secs(number * 2);
            assert!(limiter.take(id(1), &renamed, &asked("GET"), now).is_ok());
        }
        let shard = limiter.shard(id(1)).lock().expect("nobody panicked");
        assert!(shard.counted[&id(1)].len() <= RATE_LIMITS_PER_KEY_MAX + 1);
    }

    #[test]
    fn what_nobody_uses_any_more_is_forgotten() {
        let limiter = RateLimiter::new(&[limit("reads", 10, 60)]);
        for round in 0..4 {
            let now = NOW + Duration::from_secs(round * 61);
            for number in 0..SHARDS * SWEPT_FROM {
                assert!(limiter.take(id(number), &[], &asked("GET"), now).is_ok());
            }
        }
        let held: usize =
            limiter.shards.iter().map(|shard| shard.lock().expect("nobody panicked").counted.len()).sum();
        assert!(held <= 2 * SHARDS * SWEPT_FROM, "{held}");
    }

    #[test]
    fn sixty_four_threads_get_exactly_what_the_limits_allow_together() {
        for round in 0..100 {
            let limiter = RateLimiter::new(&[]);
            let limits = own(&[limit("minute", 1_000, 60), limit("day", 1_200, 86_400)]);
            let passed: usize = std::thread::scope(|scope| {
                let ask = || {
                    (0..50).filter(|_| limiter.take(id(round), &limits, &asked("GET"), NOW).is_ok()).count()
                };
                let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
                threads.into_iter().map(|thread| thread.join().expect("nobody panics")).sum()
            });
            assert_eq!(passed, 1_000, "in round {round}");
        }
    }
}
