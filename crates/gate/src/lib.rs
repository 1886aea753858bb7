//! What a platform written in Rust puts before its API: a tower layer that lets a request through if its key is good.
//!
//! ```no_run
//! use keybell_gate::{Needs, RemoteVerifier, Verified, require};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let operator_key = String::new();
//! // An operator key, from `keybell operator-key create`.
//! let verifier = RemoteVerifier::new("http://127.0.0.1:8080", &operator_key)?;
//! let layer = require(verifier, Needs::scope("reports:read"));
//! // With axum: Router::new().route("/v1/research-reports", get(list)).layer(layer)
//! # let _ = layer;
//! # Ok(())
//! # }
//! ```
//!
//! A key's rate limits are counted on the way, and what is left of them is told in the headers of every answer.
//!
//! A handler finds out who calls from [`Verified`] in the request's extensions. A request that is refused is answered
//! here, as Keybell itself would answer it: with the status, the challenge and the problem document of its code. Headers
//! that begin with `x-keybell-` are taken off every request, since only a gateway may set them.
//!
//! Keys are checked by a [`Verifier`]: over HTTP by a [`RemoteVerifier`], or with the feature `local` in the same process.

mod layer;
#[cfg(feature = "local")]
mod local;
mod needs;
mod refusal;
mod remote;
mod verified;
mod verifier;

pub use keybell_core::Code;
pub use keybell_core::forwarded::client_address;
pub use keybell_core::key::gcra::Left;
pub use keybell_core::key::{Environment, LimitState, RateLimit, Refused};
pub use layer::{KeyAuth, KeyAuthLayer, OnUnreachable, require};
#[cfg(feature = "local")]
pub use local::LocalVerifier;
pub use needs::Needs;
pub use remote::{BadRemote, RemoteVerifier};
pub use verified::Verified;
pub use verifier::{Denied, Question, Unreachable, Verifier};
