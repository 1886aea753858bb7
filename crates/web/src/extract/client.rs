//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use keybell_app::App;
use keybell_core::forwarded::client_address;
use keybell_core::grant::Origin;

use crate::problem::Failed;
use crate::request_id::RequestId;

/// The client's address, seen through the proxies that are trusted; `None` where the connection has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub Option<IpAddr>);

impl Source {
    /// The source of the request that `parts` belong to.
    pub fn of_parts(parts: &Parts, app: &App) -> Source {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let forwarded = parts.headers.get_all("x-forwarded-for").iter().map(http::HeaderValue::as_bytes);
        Source(
            peer.map(|ConnectInfo(peer)| {
                client_address(peer.ip(), forwarded, &app.settings().trusted_proxies)
            }),
        )
    }
}

impl FromRequestParts<App> for Source {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        Ok(Source::of_parts(parts, app))
    }
}

/// Whether a proxy that is trusted sent the request, so that what it says of the client's is to be believed.
pub(crate) fn is_from_trusted_proxy(parts: &Parts, app: &App) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let trusted = &app.settings().trusted_proxies;
    peer.is_some_and(|ConnectInfo(peer)| {
        let address = peer.ip().to_canonical();
        trusted.iter().any(|network| network.contains(&address))
    })
}

/// What audit entries say about where a request came from.
pub fn origin(parts: &Parts, app: &App) -> Origin {
    Origin { source_address: Source::of_parts(parts, app).0, request_id: RequestId::of_parts(parts).shared() }
}
