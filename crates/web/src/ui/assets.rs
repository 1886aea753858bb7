//! Style, scripts and the site's icon: part of the binary, named by what is in them, kept by browsers for ever.
//!
//! They are packed when one is first asked for, as small as it goes: some milliseconds once, and as many bytes of memory as
//! go over the wire. A build script would need the packer for the build too.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::packed::{gzip, takes_gzip};
use super::view::frame::AssetLinks;
use crate::routes::Routes;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: [Asset; 9] = [
    Asset {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/style.css"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", bytes: include_bytes!("../../assets/icon.svg") },
    Asset { name: "copy.js", kind: SCRIPT, bytes: include_bytes!("../../assets/copy.js") },
    Asset { name: "forms.js", kind: SCRIPT, bytes: include_bytes!("../../assets/forms.js") },
    Asset { name: "leave.js", kind: SCRIPT, bytes: include_bytes!("../../assets/leave.js") },
    Asset { name: "live.js", kind: SCRIPT, bytes: include_bytes!("../../assets/live.js") },
    Asset { name: "menu.js", kind: SCRIPT, bytes: include_bytes!("../../assets/menu.js") },
    Asset { name: "test.js", kind: SCRIPT, bytes: include_bytes!("../../assets/test.js") },
    Asset { name: "times.js", kind: SCRIPT, bytes: include_bytes!("../../assets/times.js") },
];

/// The addresses, in the order of [`ASSETS`]. Made once, from what is in them.
static PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let path = |asset: &Asset| {
        let (stem, extension) = asset.name.split_once('.').expect("every asset's name has an extension");
        format!("/assets/{stem}-{:016x}.{extension}", fingerprint(asset.bytes))
    };
    ASSETS.iter().map(path).collect()
});

static SCRIPTS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    ASSETS
        .iter()
        .zip(PATHS.iter())
        .filter(|(asset, _)| asset.kind == SCRIPT)
        .map(|(_, path)| path.as_str())
        .collect()
});

/// The same packed, in the order of [`ASSETS`].
static PACKED: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| ASSETS.iter().map(|asset| gzip(asset.bytes, Compression::best())).collect());

/// FNV-1a, 64 bits: it only has to change when what it is of does.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Where the assets are, for the pages.
pub(super) fn links() -> AssetLinks {
    AssetLinks { style: &PATHS[0], icon: &PATHS[1], scripts: &SCRIPTS }
}

pub(super) fn routes() -> Routes {
    let icon_alone = Routes::for_everybody().cached(FOR_A_DAY).asset("/favicon.ico", icon);
    Routes::for_everybody().cached(FOR_EVER).asset("/assets/{name}", asset).merge(icon_alone)
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let index = PATHS.iter().position(|path| path.strip_prefix("/assets/") == Some(&name));
    index.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |index| served(index, &headers, FOR_EVER))
}

/// Browsers ask for it by themselves where a page is not ours.
async fn icon(headers: HeaderMap) -> Response {
    served(1, &headers, FOR_A_DAY)
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_A_DAY: &str = "public, max-age=86400";

fn served(index: usize, asked: &HeaderMap, cache: &'static str) -> Response {
    let asset = &ASSETS[index];
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let packed = PACKED[index].as_slice();
    if takes_gzip(asked) && packed.len() < asset.bytes.len() {
        return (headers, [(header::CONTENT_ENCODING, "gzip")], packed).into_response();
    }
    (headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_has_a_name_of_its_own_and_none_holds_markup_sinks() {
        let links = links();
        assert_eq!(links.scripts.len(), 7);
        assert!(links.style.starts_with("/assets/style-") && links.icon.starts_with("/assets/icon-"));
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT) {
            let text = std::str::from_utf8(asset.bytes).expect("scripts are text");
            for sink in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
            {
                assert!(!text.contains(sink), "{} uses {sink}, which Trusted Types refuse", asset.name);
            }
        }
    }

    #[test]
    fn on_paper_there_is_nothing_to_press_and_tables_are_whole() {
        let style = std::str::from_utf8(ASSETS[0].bytes).expect("style is text");
        let (_, print) = style.split_once("@media print {").expect("rules for paper");
        let hidden = print.lines().find(|line| line.contains("display: none")).expect("what is left out");
        for part in ["nav", ".top", ".sub", ".filters", ".button", ".switch"] {
            assert!(hidden.split([',', ' ']).any(|selector| selector == part), "{part}: {hidden}");
        }
        assert!(
            print.contains(".scroll { max-block-size: none; overflow: visible; }"),
            "all rows of a table"
        );
        assert!(print.contains("color-scheme: only light"), "black on white");
        // Paper is narrower than the width below which a screen shows rows as lists.
        let narrow = style.split("@media (max-width").skip(1);
        for rules in narrow.map(|rules| rules.split_once("\n  }").map_or(rules, |(rules, _)| rules)) {
            assert!(!rules.contains("thead"), "{rules}");
        }
    }
}
