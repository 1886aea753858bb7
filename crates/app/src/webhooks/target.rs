//! Where a webhook may send: judged when it is made or edited, as far as can be judged then.
//!
//! The connector judges again at every connection; here a person is told at once what would never work.

use std::time::Duration;

use keybell_core::FieldError;
use keybell_core::target::{Refused, URL_BYTES_MAX};
use tokio::time::timeout;
use url::Url;

use crate::App;
use crate::delivery::guard::Leads;
use crate::delivery::target::Target;

/// How long a name may take to resolve while somebody waits for a form. One that takes longer is accepted: the connector
/// will see.
const RESOLVE_MAX: Duration = Duration::from_secs(3);

impl App {
    /// The URL that `text` is, where it may be called.
    ///
    /// A name that resolves only to addresses that may not be called is refused with the rule that refuses them. One that
    /// does not resolve is accepted: it may do so tomorrow.
    pub(super) async fn check_target(&self, text: &str) -> Result<Url, FieldError> {
        if text.len() > URL_BYTES_MAX {
            return Err(refused(&Refused::TooLong));
        }
        // A parser of URLs would drop it, or write it as `%00`: another address than was written.
        if text.contains('\0') {
            return Err(error("invalid", "must not have the character U+0000".to_owned()));
        }
        let url = Url::parse(text).map_err(|_| {
            let example = "https://example.com/webhooks";
            error("invalid", format!("must be an absolute URL such as {example}"))
        })?;
        let guard = self.engine().guard();
        guard.check(&url).map_err(|why| refused(&why))?;
        let target = Target::of(&url).map_err(|failure| error("invalid", failure.sentence))?;
        match timeout(RESOLVE_MAX, guard.leads(&target.endpoint)).await {
            Ok(Leads::Nowhere(why)) => Err(refused(&why)),
            Ok(Leads::To(_) | Leads::NoAddress | Leads::Unresolved(_)) | Err(_) => Ok(url),
        }
    }
}

fn refused(why: &Refused) -> FieldError {
    error(why.rule(), why.to_string())
}

fn error(code: &'static str, message: String) -> FieldError {
    FieldError::new("url", code, message)
}
