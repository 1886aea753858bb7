//! Passwords: checked for their length, hashed and compared off the reactor, a few at a time.
//!
//! Argon2id with OWASP's parameters costs tens of milliseconds and 19 MiB. Without a bound, a flood of sign-ins would
//! take the memory and the cores that deliveries need.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use keybell_core::{FieldError, Problem, Randomness};
use tokio::sync::Semaphore;

/// Fewest characters of a password (NIST SP 800-63B asks for 8 at least; length is what helps).
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Most characters of a password: enough for any sentence or generator, and a bound on what is hashed.
pub const PASSWORD_CHARS_MAX: usize = 200;
/// Passwords hashed at once: 38 MiB, and a core left for everything else on a machine of four.
pub const HASHES_AT_ONCE_MAX: usize = 2;
/// Sign-ins that wait for their turn; one more is told to come again, rather than waiting for seconds.
pub const HASHES_WAITING_MAX: usize = 32;

/// Memory in KiB, passes and lanes: the second of OWASP's equivalent settings.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// Where passwords are hashed.
pub(crate) struct Passwords {
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// The hash of nothing in particular, so that an unknown e-mail address costs the same time. Written down, since making it
/// would take longer than the rest of a start.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$16PT8vSAWJQKSsM5rCUDlsohzi98stkQxmSzOqan/uI";

impl Passwords {
    pub(crate) fn new() -> Self {
        Passwords {
            at_once: Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX)),
            waiting: Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX + HASHES_WAITING_MAX)),
        }
    }

    /// Hashes `password` with a salt of its own, as a PHC string.
    pub(crate) async fn hash(&self, password: &str, randomness: &dyn Randomness) -> Result<String, Problem> {
        let salt = randomness.bytes::<16>();
        let password = password.to_owned();
        self.in_turn(move || hash(password.as_bytes(), &salt)).await?.map_err(Problem::internal)
    }

    /// Whether `password` is the one of `known`; without a known one, as much time passes and the answer is no.
    pub(crate) async fn verify(&self, password: &str, known: Option<String>) -> Result<bool, Problem> {
        let (phc, exists) = known.map_or_else(|| (DUMMY.to_owned(), false), |known| (known, true));
        // A longer one can be nobody's; the time of hashing a megabyte is not for strangers to spend.
        let password: String = password.chars().take(PASSWORD_CHARS_MAX + 1).collect();
        let same =
            self.in_turn(move || hasher().verify_password(password.as_bytes(), phc.as_str()).is_ok()).await?;
        Ok(same && exists)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let queued = Arc::clone(&self.waiting).try_acquire_owned();
        let queued = queued.map_err(|_| Problem::unavailable("too many sign-ins at once"))?;
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(Problem::internal)?;
        // The permits go along: whoever gives up waiting does not free the core that still works for them.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((turn, queued));
            done
        });
        done.await.map_err(Problem::internal)
    }
}

/// Refuses a password that is too short or too long, or could not be typed again.
pub fn check_new_password(field: &'static str, password: &str) -> Result<(), FieldError> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        let message = format!("must have at least {PASSWORD_CHARS_MIN} characters");
        return Err(FieldError::new(field, "too_short", message));
    }
    if chars > PASSWORD_CHARS_MAX {
        let message = format!("must have at most {PASSWORD_CHARS_MAX} characters");
        return Err(FieldError::new(field, "too_long", message));
    }
    if password.contains('\0') {
        return Err(FieldError::new(field, "not_allowed", "must not have the character U+0000"));
    }
    Ok(())
}

fn hasher() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).expect("the parameters are constant and valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &[u8], salt: &[u8; 16]) -> Result<String, String> {
    let hashed = hasher().hash_password_with_salt(password, salt);
    hashed.map(|hashed| hashed.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Randomness for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(5);
        }
    }

    #[test]
    fn lengths_hold_at_their_ends_and_count_characters_not_bytes() {
        let fits = |chars: usize| check_new_password("password", &"ä".repeat(chars)).is_ok();
        assert_eq!([9, 10, 200, 201].map(fits), [false, true, true, false]);
        assert!(check_new_password("password", "a sentence\0").is_err(), "no keyboard has it");
    }

    #[test]
    fn the_dummy_costs_what_a_real_hash_costs() {
        assert_eq!(hash(b"nobody has this password", &[7; 16]).as_deref(), Ok(DUMMY));
    }

    #[tokio::test]
    async fn only_the_same_password_verifies_and_an_unknown_account_never_does() {
        let passwords = Passwords::new();
        let known = passwords.hash("correct horse battery", &Fixed).await.expect("hashed");
        assert!(known.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{known}");
        assert!(passwords.verify("correct horse battery", Some(known.clone())).await.expect("checked"));
        assert!(!passwords.verify("correct horse batterz", Some(known)).await.expect("checked"));
        assert!(!passwords.verify("nobody has this password", None).await.expect("checked"));
    }

    #[tokio::test]
    async fn one_sign_in_past_the_queue_is_told_to_come_again() {
        let passwords = Passwords::new();
        let all = Arc::clone(&passwords.waiting);
        let full = u32::try_from(HASHES_AT_ONCE_MAX + HASHES_WAITING_MAX).expect("small");
        let held = all.try_acquire_many(full).expect("all are free");
        let refused = passwords.verify("x", None).await.expect_err("full");
        assert_eq!(refused.code, keybell_core::Code::Unavailable);
        drop(held);
        assert!(passwords.verify("x", None).await.is_ok());
    }
}
