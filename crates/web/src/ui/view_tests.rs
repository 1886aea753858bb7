//! What holds for every page, whatever stands in it: empty, full, and full of hostile words.

use std::collections::HashSet;

use scraper::{ElementRef, Html, Selector};

use super::assets;
use super::samples::Sample;

/// Breaks out of text, of attributes, of comments and of lines, and has no place to break a line.
const HOSTILE: &str = "</textarea><script>alert('x')</script>&\"'`<!--\u{202e}averyverylongwordthatneverends";

/// Turns the direction of writing and does not turn it back, marks with nothing under them, signs of several code points.
const ODD: &str = "\u{202e}\u{2067}\u{200f}مرحبا שלום 👩🏽‍🚀🇪🇺 e\u{301}\u{301}\u{301} \u{feff}\u{2028}";

fn pages_with(kind: &str, word: &str, full: bool) -> Vec<(String, Html, String)> {
    let drawn = (Sample { word, full, assets: assets::links() }).pages().into_iter();
    drawn.map(|(name, html)| (format!("{kind} {name}"), Html::parse_document(&html), html)).collect()
}

fn pages() -> Vec<(String, Html, String)> {
    let kinds = [("full", "", true), ("empty", "", false), ("hostile", HOSTILE, true)];
    kinds.into_iter().flat_map(|(kind, word, full)| pages_with(kind, word, full)).collect()
}

fn all<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).expect("a selector of this file")).collect()
}

fn text(element: &ElementRef<'_>) -> String {
    element.text().collect::<String>().trim().to_owned()
}

#[test]
fn hostile_words_stay_words() {
    for (name, page, html) in pages().iter().filter(|(name, ..)| name.starts_with("hostile")) {
        assert!(!html.contains("<script>alert"), "{name}");
        assert_eq!(all(page, "script:not([src])").len(), 0, "{name}");
        for element in all(page, "*") {
            let odd = element
                .value()
                .attrs()
                .find(|(attribute, _)| attribute.starts_with("on") || *attribute == "style");
            assert_eq!(odd, None, "{name}: what the content policy refuses");
        }
    }
}

#[test]
fn odd_words_are_shown_whole_wherever_they_stand() {
    for (name, page, html) in pages_with("odd", ODD, true) {
        let texts: usize = page.root_element().text().map(|text| text.matches(ODD).count()).sum();
        let elements = all(&page, "*");
        let values = elements.iter().flat_map(|element| element.value().attrs());
        let values: usize = values.map(|(_, value)| value.matches(ODD).count()).sum();
        assert_eq!(texts + values, html.matches(ODD).count(), "{name}: as text or as a value, nowhere else");
    }
}

#[test]
fn ten_thousand_characters_are_shown_whole_and_as_text() {
    let (word, shown) = ("<b>🦊".repeat(2_500), "&#60;b&#62;🦊".repeat(2_500));
    for (name, html) in (Sample { word: &word, full: true, assets: assets::links() }).pages() {
        assert!(html.contains(&shown) && !html.contains("<b>"), "{name}");
    }
}

#[test]
fn every_page_has_one_title_one_heading_a_language_and_one_main_part() {
    for (name, page, _) in pages() {
        for (selector, many) in
            [("head title", 1), ("h1", 1), ("main#main", 1), ("html[lang]", 1), ("[role=status]#said", 1)]
        {
            assert_eq!(all(&page, selector).len(), many, "{name}: {selector}");
        }
        assert!(!text(&all(&page, "head title")[0]).starts_with('·'), "{name}: an empty title");
    }
}

#[test]
fn ids_are_unique_and_everything_that_names_one_finds_it() {
    for (name, page, _) in pages() {
        let mut ids = HashSet::new();
        for element in all(&page, "[id]") {
            let id = element.value().id().expect("it was selected by it");
            assert!(ids.insert(id), "{name}: two elements are {id}");
        }
        for attribute in ["for", "aria-describedby", "aria-labelledby", "data-copy", "data-download"] {
            for element in all(&page, &format!("[{attribute}]")) {
                for id in element.attr(attribute).unwrap_or_default().split_whitespace() {
                    assert!(ids.contains(id), "{name}: {attribute} names {id}, which is not there");
                }
            }
        }
        for link in all(&page, "a[href^='#']") {
            let id = link.attr("href").unwrap_or_default().trim_start_matches('#');
            // Of the errors, only those whose field is on this page lead anywhere; the sample names fields of every form.
            let of_errors = link
                .ancestors()
                .filter_map(ElementRef::wrap)
                .any(|around| around.value().id() == Some("errors"));
            assert!(
                of_errors || id.is_empty() || ids.contains(id),
                "{name}: a link to {id}, which is not there"
            );
        }
    }
}

#[test]
fn every_control_has_a_name() {
    for (name, page, _) in pages() {
        for input in all(&page, "input:not([type=hidden]), select, textarea") {
            let labelled = input.attr("aria-label").is_some()
                || input
                    .ancestors()
                    .filter_map(ElementRef::wrap)
                    .any(|around| around.value().name() == "label")
                || input.value().id().is_some_and(|id| {
                    all(&page, "label[for]").iter().any(|label| label.attr("for") == Some(id))
                });
            assert!(labelled, "{name}: {} has no label", input.html());
        }
        for control in all(&page, "button, a[href], summary") {
            let named = control.attr("aria-label").is_some() || !text(&control).is_empty();
            assert!(named, "{name}: {} has no name", control.html());
        }
    }
}

#[test]
fn every_table_says_what_it_is_and_each_cell_what_it_belongs_to() {
    for (name, page, _) in pages() {
        for table in all(&page, "table") {
            let count =
                |selector| table.select(&Selector::parse(selector).expect("a selector of this file")).count();
            assert_eq!(count("caption"), 1, "{name}");
            assert!(count("thead th[scope=col]") > 1, "{name}");
            // One that is hidden has no rows yet.
            assert_eq!(count("tbody tr") > 0, count("tbody th[scope=row]") > 0, "{name}");
        }
    }
}

#[test]
fn forms_that_change_something_post_to_us() {
    for (name, page, _) in pages() {
        for form in all(&page, "form") {
            let action = form.attr("action").unwrap_or_default();
            assert!(!action.contains("//"), "{name}: a form that leads away");
            let danger = form.select(&Selector::parse("button.danger").expect("a selector")).count();
            assert!(danger == 0 || form.attr("method") == Some("post"), "{name}");
        }
        let odd = all(&page, "a[href^='javascript'], a[target]");
        assert!(odd.is_empty(), "{name}: {:?}", odd.first().map(ElementRef::html));
    }
}

#[test]
fn an_empty_list_says_what_to_do() {
    let empty: Vec<_> = pages().into_iter().filter(|(name, ..)| name.starts_with("empty")).collect();
    for (list, action) in
        [("keys", "Create API Key"), ("webhooks", "Create Webhook"), ("events", "Event catalogue")]
    {
        let (_, page, _) = empty.iter().find(|(name, ..)| name == &format!("empty {list}")).expect("a page");
        let shown = all(page, ".empty").iter().map(text).collect::<String>();
        assert!(shown.contains(action), "{list}: {shown}");
        assert_eq!(all(page, "table").len(), 0, "{list}");
    }
}

#[test]
fn the_pages_say_what_the_brief_says_in_its_words() {
    let pages = pages();
    let said = [
        ("overview", "h2", "Security Best Practices"),
        ("overview", "li", "Do not share your secret keys publicly or in client-side code."),
        (
            "overview",
            "li",
            "Use the provided signature in the headers to ensure the payloads are from our platform.",
        ),
        (
            "overview",
            "li",
            "Periodically generate new API keys and update your integrations to enhance security.",
        ),
        ("keys", "p", "API keys allow you to authenticate requests to our platform’s API."),
        ("webhooks", "p", "Webhooks allow you to receive notifications about specific events in real-time."),
        ("overview", "p", "Create API keys and webhooks to build custom logic for your workspace!"),
        ("key-form", "title", "Create API Key"),
        ("webhook-form", "title", "Create Webhook"),
    ];
    for (name, element, words) in said {
        let name = format!("full {name}");
        let (_, page, _) =
            pages.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("{name}"));
        let texts: Vec<_> = all(page, element).iter().map(text).collect();
        assert!(texts.iter().any(|text| text.contains(words)), "{name}: {words}: {texts:?}");
    }
}

#[test]
fn the_times_of_a_filter_wrap_together_with_its_button() {
    let mut found = HashSet::new();
    for (name, page, _) in pages() {
        if all(&page, ".filters .time").is_empty() {
            continue;
        }
        assert_eq!(all(&page, "form.filters > .end > .time").len(), 2, "{name}");
        assert_eq!(all(&page, "form.filters > .end > button[type=submit]").len(), 1, "{name}");
        found.extend(name.split([' ', '-']).nth(1).map(str::to_owned));
    }
    let lists = ["deliveries", "events", "audit"].map(str::to_owned);
    assert_eq!(found, HashSet::from(lists), "every list with times");
}

#[test]
fn a_list_that_could_not_be_loaded_does_not_look_empty() {
    let failed: Vec<_> = pages().into_iter().filter(|(name, ..)| name.ends_with("-failed")).collect();
    assert_eq!(failed.len(), 6, "events and the audit log, in three ways each");
    for (name, page, _) in failed {
        assert!(all(&page, ".empty, table").is_empty(), "{name}");
        let told = all(&page, "[role=alert]").iter().map(text).collect::<String>();
        assert!(told.contains("could not be loaded"), "{name}: {told}");
        assert_eq!(all(&page, "form.filters").len(), 1, "{name}: what was asked for can be asked for again");
    }
}
