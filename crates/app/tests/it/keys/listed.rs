//! Keys in lists: filtered, searched, sorted, page by page.

use std::time::Duration;

use keybell_app::Page;
use keybell_app::keys::{KeyFilter, KeyPatch, KeySort, NewKey};
use keybell_core::Clock;
use keybell_core::key::{Environment, KeyStatus};

use super::{made, manage, named, operator, read, verdict};
use crate::house::{On, house};

#[tokio::test]
async fn lists_are_filtered_searched_and_paged_alike_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let house = house(on).await;
        let app = &house.app;
        let mut ids = Vec::new();
        for name in ["plain", "100%", "a_b", "Ärger", "gone", "off", "old"] {
            house.clock.advance(Duration::from_secs(1));
            let environment = if name == "plain" { Environment::Test } else { Environment::Live };
            let expires_at = (name == "old").then(|| house.clock.now() + Duration::from_secs(1));
            let description = format!("The key {name}");
            ids.push(made(app, NewKey { environment, expires_at, description, ..named(name) }).await.key.id);
        }
        app.revoke_key(manage(&operator()), ids[4]).await.expect("it can be revoked");
        let off = KeyPatch { enabled: Some(false), ..KeyPatch::default() };
        app.edit_key(manage(&operator()), ids[5], off).await.expect("it can be disabled");
        house.clock.advance(Duration::from_secs(1));

        let list = async |filter: KeyFilter| {
            let listing =
                app.list_keys(read(&operator()), filter, Page::default()).await.expect("it can be listed");
            listing.data.into_iter().map(|key| key.name).collect::<Vec<_>>().join(" ")
        };
        let with = |status| KeyFilter { status: Some(status), ..KeyFilter::default() };
        let search = |text: &str| KeyFilter { search: Some(text.to_owned()), ..KeyFilter::default() };
        assert_eq!(list(KeyFilter::default()).await, "old off gone Ärger a_b 100% plain", "{on:?}");
        assert_eq!(list(with(KeyStatus::Active)).await, "Ärger a_b 100% plain", "{on:?}");
        assert_eq!(list(with(KeyStatus::Disabled)).await, "off", "{on:?}");
        assert_eq!(list(with(KeyStatus::Expired)).await, "old", "{on:?}");
        assert_eq!(list(with(KeyStatus::Revoked)).await, "gone", "{on:?}");
        let test = KeyFilter { environment: Some(Environment::Test), ..KeyFilter::default() };
        assert_eq!(list(test).await, "plain", "{on:?}");
        assert_eq!(list(search("%")).await, "100%", "{on:?}");
        assert_eq!(list(search("_")).await, "a_b", "{on:?}");
        assert_eq!(list(search("Ärger")).await, "Ärger", "{on:?}");
        assert_eq!(list(search("KEY OLD")).await, "old", "{on:?}");
        assert_eq!(list(search(&format!("kb_live_{}", ids[1]))).await, "100%", "{on:?}");
        assert_eq!(list(search("nothing of the kind")).await, "", "{on:?}");

        let mut cursor = None;
        let mut names = Vec::new();
        loop {
            let page = Page::new(Some(3), cursor).expect("3 is within the limit");
            let listing =
                app.list_keys(read(&operator()), KeyFilter::default(), page).await.expect("it can be listed");
            names.extend(listing.data.into_iter().map(|key| key.name));
            cursor = listing.next_cursor;
            // What is made meanwhile does not move what comes after.
            made(app, named("newer")).await;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(names.join(" "), "old off gone Ärger a_b 100% plain", "{on:?}");
    }
}

#[tokio::test]
async fn keys_are_listed_in_each_order_page_by_page_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let house = house(on).await;
        let app = &house.app;
        // Made one after the other; the last two end, the later one first.
        let mut issued = Vec::new();
        for (name, days) in [("b", None), ("C", None), ("a.1", None), ("a", Some(9)), ("B", Some(5))] {
            house.clock.advance(Duration::from_secs(1));
            let expires_at = days.map(|days| house.clock.now() + Duration::from_hours(24 * days));
            issued.push(made(app, NewKey { expires_at, ..named(name) }).await);
        }
        for used in [1, 3] {
            house.clock.advance(Duration::from_mins(2));
            assert_eq!(verdict(app, &issued[used].secret_key), "valid", "{on:?}");
        }
        app.write_usage().await.expect("it is written");
        let sorted = async |sort: KeySort| {
            let (mut names, mut cursor) = (Vec::new(), None);
            for _ in 0..5 {
                let page = Page::new(Some(2), cursor).expect("2 is within the limit");
                let filter = KeyFilter { sort, ..KeyFilter::default() };
                let listing = app.list_keys(read(&operator()), filter, page).await.expect("it can be listed");
                names.extend(listing.data.into_iter().map(|key| key.name));
                cursor = listing.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            names.join(" ")
        };
        assert_eq!(sorted(KeySort::Newest).await, "B a a.1 C b", "{on:?}");
        assert!(["a a.1 b B C", "a a.1 B b C"].contains(&&*sorted(KeySort::Name).await), "{on:?}");
        // Keys that have no such time stand in the order of their ids, which are drawn.
        for (sort, first) in [(KeySort::LastUse, "a C "), (KeySort::Expiry, "B a ")] {
            let names = sorted(sort).await;
            let mut each: Vec<&str> = names.split(' ').collect();
            each.sort_unstable();
            assert!(names.starts_with(first) && each == ["B", "C", "a", "a.1", "b"], "{on:?}: {names}");
        }
    }
}
