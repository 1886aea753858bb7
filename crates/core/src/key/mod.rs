//! Keys: what they look like, what they may do, and whether one may do this now.
//!
//! A key is `BRAND_ENV_ID_SECRETCRC`, as `kb_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC…`. The part before the secret is
//! its [`PublicIdentifier`], which is safe to show; the whole is a [`SecretKey`], which is shown once. What is remembered
//! is a [`Digest`] under a pepper. Whether a proved key may do what is asked is [`Standing::decide`].

mod base62;
mod brand;
mod crc;
mod decision;
mod digest;
mod environment;
pub mod fields;
pub mod gcra;
mod imported;
mod kind;
mod limit_headers;
mod outcome;
mod public_identifier;
mod record;
mod refused;
mod request_kind;
mod scopes;
mod secret_key;

pub use brand::{BadBrand, Brand};
pub use decision::{Asked, Proof, Standing, Switch};
pub use digest::Digest;
pub use environment::Environment;
pub use fields::RateLimit;
pub use imported::ImportedKey;
pub use kind::Kind;
pub use limit_headers::{LimitState, limit_headers};
pub use outcome::{Counts, Outcome};
pub use public_identifier::{KeyId, PublicIdentifier};
pub use record::{ApiKey, KeyStatus, PreviousSecret};
pub use refused::Refused;
pub use request_kind::{READS, RequestKind, WRITES};
pub use scopes::Scopes;
pub use secret_key::{BadKey, KEY_BYTES_MAX, SecretKey};
