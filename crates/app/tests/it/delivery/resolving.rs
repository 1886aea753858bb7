//! Names and their addresses: resolvers that lie, change their mind, drown or never answer, and bounds of looking up.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use keybell_app::delivery::exchange::FailureCode;
use keybell_app::delivery::guard::{ADDRESSES_MAX, Guard, Leads};
use keybell_app::delivery::resolve::{
    ADDRESSES_READ_MAX, LOOKUPS_MAX, Lookups, NAMES_MAX, OVERDUE_LOOKUPS_MAX, REMEMBERED_FOR, Resolve,
    SLOW_AFTER, UNPROVEN_LOOKUPS_MAX,
};
use keybell_app::delivery::target::Target;
use keybell_app::webhooks::WebhookPatch;
use keybell_core::target::TargetPolicy;
use tokio::time::{advance, sleep, timeout};

use super::refused::{Fickle, call, client_of, failed};
use super::servers::{Server, read_request};
use crate::house::{On, house, workspace};
use crate::webhooks::{declare, new_webhook};
use crate::workspaces::{fields, grant, operator};

const MOMENT: Duration = Duration::from_millis(1);

fn address(text: &str) -> SocketAddr {
    format!("{text}:80").parse().expect("an address")
}

/// Answers by the first word of a name: `public`, `private`, `metadata`, `both`, `unknown`, `hangs`, `slow`, and `tires`,
/// which answers once.
#[derive(Clone, Default)]
struct Oracle {
    answered: Arc<Mutex<HashSet<String>>>,
    asked: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
    most_at_once: Arc<AtomicUsize>,
}

impl Oracle {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

impl Resolve for Oracle {
    fn resolve<'a>(&'a self, host: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(now, Ordering::SeqCst);
            let answer = match host.split(['.', '-']).next().unwrap_or_default() {
                "public" => {
                    sleep(MOMENT).await;
                    Ok(vec![address("8.8.8.8")])
                }
                "tires" if self.answered.lock().expect("nobody panics").insert(host.to_owned()) => {
                    Ok(vec![address("8.8.8.8")])
                }
                "private" => Ok(vec![address("10.0.0.1"), address("192.168.0.1")]),
                "metadata" => Ok(vec![address("169.254.169.254"), address("10.0.0.1")]),
                "both" => Ok(vec![address("10.0.0.1"), address("8.8.8.8")]),
                "many" => {
                    Ok((0..5_000u16).map(|low| address(&format!("8.8.{}.{}", low >> 8, low & 255))).collect())
                }
                "slow" => {
                    sleep(2 * SLOW_AFTER).await;
                    Ok(vec![address("8.8.8.8")])
                }
                "hangs" | "tires" => {
                    sleep(Duration::from_secs(30)).await;
                    Err(io::Error::other("no name server answered"))
                }
                _ => Err(io::Error::other("no such name")),
            };
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            answer
        }
        .boxed()
    }
}

#[tokio::test]
async fn an_answer_that_changes_between_check_and_connect_changes_nothing() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
    })
    .await;
    // Whoever asked first saw a public address; whoever connects asks again, and is refused.
    let resolver = Arc::new(Fickle::answering(vec![vec![address("8.8.8.8")], vec![server.address]]));
    let guard = Guard::new(TargetPolicy::default(), Arc::clone(&resolver) as Arc<dyn Resolve>);
    let url = format!("http://rebinding.example:{}/", server.address.port());
    let target = Target::of(&url.parse().expect("a URL")).expect("it can be called");
    assert!(matches!(guard.leads(&target.endpoint).await, Leads::To(_)));
    assert!(
        matches!(guard.leads(&target.endpoint).await, Leads::Nowhere(refused) if refused.rule() == "loopback")
    );
    let client = client_of(&[], Fickle::answering(vec![vec![server.address]]), &[]);
    assert_eq!(failed(&call(&client, &url).await), Some(FailureCode::TargetRefused));
    assert_eq!(server.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_remembered_is_judged_all_the_same() {
    let client = client_of(&[], Lookups::new(Oracle::default()), &[]);
    for _ in 0..2 {
        let exchange = call(&client, "http://metadata.example/").await;
        assert_eq!(failed(&exchange), Some(FailureCode::TargetRefused));
        let sentence = exchange.failure.expect("it failed").sentence;
        assert!(sentence.contains("169.254.169.254") && sentence.contains("cloud_metadata"), "{sentence}");
    }
}

#[tokio::test]
async fn only_the_allowed_of_mixed_addresses_are_called() {
    let server = Server::start(|mut stream, _| async move {
        read_request(&mut stream).await;
    })
    .await;
    let port = server.address.port();
    // Loopback beside 127.0.0.1 reaches no listener; what listens is not allowed.
    let mixed = vec![server.address, format!("127.0.0.9:{port}").parse().expect("an address")];
    let client = client_of(&["127.0.0.9/32"], Fickle::answering(vec![mixed]), &[]);
    assert_eq!(failed(&call(&client, "http://mixed.example/").await), Some(FailureCode::ConnectRefused));
    assert_eq!(server.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_never_answers_takes_the_time_to_connect_and_no_more() {
    let client = client_of(&[], Lookups::new(Oracle::default()), &[]);
    let exchange = call(&client, "http://hangs.example/").await;
    assert_eq!(failed(&exchange), Some(FailureCode::ConnectTimeout));
    assert!(exchange.failure.as_ref().is_some_and(|why| why.sentence.contains("resolving the name")));
    assert!((5_000..=5_002).contains(&exchange.duration.as_millis()), "{:?}", exchange.duration);
    assert_eq!(exchange.timings, keybell_app::delivery::exchange::Timings::default());
}

#[tokio::test(start_paused = true)]
async fn of_thousands_of_addresses_few_are_looked_at_and_fewer_tried() {
    let lookups = Lookups::new(Oracle::default());
    let found = lookups.resolve("many.example", 443).await.expect("it answers");
    assert_eq!((found.len(), found[0].port()), (ADDRESSES_READ_MAX, 443));
    let guard = Guard::new(TargetPolicy::default(), Arc::new(Oracle::default()));
    let target = Target::of(&"http://many.example/".parse().expect("a URL")).expect("it can be called");
    let Leads::To(tried) = guard.leads(&target.endpoint).await else { panic!("they are public") };
    assert_eq!(tried.len(), ADDRESSES_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_once_for_all_who_want_it_at_once_and_for_five_seconds() {
    let oracle = Oracle::default();
    let lookups = Lookups::new(oracle.clone());
    let all = super::all((0..1_000).map(|_| lookups.resolve("public.example", 80))).await;
    assert!(all.iter().all(|found| found.as_ref().is_ok_and(|found| found == &[address("8.8.8.8")])));
    advance(REMEMBERED_FOR * 4_999 / 5_000).await;
    lookups.resolve("public.example", 80).await.expect("it answers");
    assert_eq!(oracle.asked(), 1);
    advance(MOMENT).await;
    lookups.resolve("public.example", 80).await.expect("it answers");
    assert_eq!(oracle.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_is_not_remembered() {
    let oracle = Oracle::default();
    let lookups = Lookups::new(oracle.clone());
    for _ in 0..2 {
        let error = lookups.resolve("unknown.example", 80).await.expect_err("it is unknown");
        assert_eq!(error.to_string(), "no such name");
    }
    assert_eq!(oracle.asked(), 2);
}

/// Begins to look up so many names of that kind.
fn begin(lookups: &Arc<Lookups>, kind: &'static str, names: usize) {
    for number in 0..names {
        let lookups = Arc::clone(lookups);
        tokio::spawn(async move { lookups.resolve(&format!("{kind}-{number}.example"), 80).await });
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_new_names_are_looked_up_at_once_and_not_one_more() {
    let oracle = Oracle::default();
    let lookups = Arc::new(Lookups::new(oracle.clone()));
    begin(&lookups, "hangs", UNPROVEN_LOOKUPS_MAX + 1);
    sleep(10 * SLOW_AFTER).await;
    assert_eq!(oracle.asked(), UNPROVEN_LOOKUPS_MAX, "the next one waits");
    sleep(Duration::from_mins(10)).await;
    assert_eq!((oracle.asked(), oracle.most_at_once()), (UNPROVEN_LOOKUPS_MAX + 1, UNPROVEN_LOOKUPS_MAX));
}

#[tokio::test(start_paused = true)]
async fn so_many_names_that_were_quick_are_looked_up_at_once_and_all_kinds_have_a_limit() {
    let oracle = Oracle::default();
    let lookups = Arc::new(Lookups::new(oracle.clone()));
    let names = 2 * (LOOKUPS_MAX + OVERDUE_LOOKUPS_MAX);
    begin(&lookups, "tires", names);
    sleep(2 * REMEMBERED_FOR).await;
    assert_eq!(oracle.asked(), names, "each answered");
    begin(&lookups, "tires", names);
    sleep(SLOW_AFTER / 2).await;
    assert_eq!(oracle.asked(), names + LOOKUPS_MAX, "the next one waits");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(oracle.most_at_once(), LOOKUPS_MAX + OVERDUE_LOOKUPS_MAX, "and that is all");
}

#[tokio::test(start_paused = true)]
async fn new_names_that_hang_hold_up_none_that_is_known() {
    let oracle = Oracle::default();
    let lookups = Arc::new(Lookups::new(oracle.clone()));
    for number in 0..100 {
        lookups.resolve(&format!("public-{number}.example"), 80).await.expect("it answers");
    }
    begin(&lookups, "hangs", 500);
    sleep(2 * REMEMBERED_FOR).await;
    for number in 0..100 {
        let quick =
            timeout(10 * MOMENT, lookups.resolve(&format!("public-{number}.example"), 80).boxed()).await;
        assert!(quick.is_ok_and(|found| found.is_ok()), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_waits_for_any_more_is_remembered() {
    let oracle = Oracle::default();
    let lookups = Lookups::new(oracle.clone());
    assert!(timeout(SLOW_AFTER, lookups.resolve("slow.example", 80)).await.is_err());
    sleep(2 * SLOW_AFTER).await;
    lookups.resolve("slow.example", 80).await.expect("it is known by now");
    assert_eq!(oracle.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn so_many_names_are_remembered_and_no_more() {
    let oracle = Oracle::default();
    let lookups = Lookups::new(oracle.clone());
    for number in 0..=NAMES_MAX {
        // These take no time, so that none is forgotten meanwhile.
        lookups.resolve(&format!("private-{number}.example"), 80).await.expect("it answers");
    }
    assert_eq!(oracle.asked(), NAMES_MAX + 1);
    lookups.resolve(&format!("private-{}.example", NAMES_MAX - 1), 80).await.expect("it answers");
    assert_eq!(oracle.asked(), NAMES_MAX + 1, "the last that there was room for");
    lookups.resolve(&format!("private-{NAMES_MAX}.example"), 80).await.expect("it answers");
    assert_eq!(oracle.asked(), NAMES_MAX + 2, "one past it");
    advance(REMEMBERED_FOR).await;
    for _ in 0..2 {
        lookups.resolve("private-new.example", 80).await.expect("it answers");
    }
    assert_eq!(oracle.asked(), NAMES_MAX + 3, "what has run out makes room");
}

#[tokio::test(start_paused = true)]
async fn a_webhook_is_refused_at_once_where_its_name_leads_only_to_refused_addresses() {
    let house = house(On::Memory).await;
    let app = house.resolving(Oracle::default()).await;
    declare(&app, "portfolio.updated").await;
    let may = || grant(&operator(), workspace(1));
    let of = |url: &str| keybell_app::webhooks::NewWebhook { url: url.to_owned(), ..new_webhook(&["*"]) };
    for (url, rule) in [
        ("http://private.example/", "private"),
        ("http://metadata.example/", "cloud_metadata"),
        ("http://public.example:25/", "port"),
        ("http://0xa.1/", "private"),
        ("http://a..b/", "host_name"),
    ] {
        let made = app.create_webhook(may(), of(url)).await;
        assert_eq!(fields(made.map(drop)), [("url".to_owned(), rule)], "{url}");
    }
    let mut made = Vec::new();
    for url in
        ["http://both.example/", "http://unknown.example/", "http://hangs.example/", "http://bücher.example/"]
    {
        let (webhook, _) = app.create_webhook(may(), of(url)).await.expect("it may lead there one day");
        made.push(webhook);
    }
    let patch = WebhookPatch { url: Some("http://private.example/".to_owned()), ..WebhookPatch::default() };
    let edited = app.edit_webhook(may(), made[0].id, patch).await;
    assert_eq!(fields(edited.map(drop)), [("url".to_owned(), "private")]);
}
