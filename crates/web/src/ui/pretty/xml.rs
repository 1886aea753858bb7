//! XML with line breaks and indents, every tag and every text as it was. White space is put only where elements stand beside
//! each other: an element with text in it stays as it is, with all that is in it, since there a blank may mean something.

use std::ops::Range;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{LAID_BYTES_MAX, PRETTY_BYTES_MAX, new_line};

/// `text` laid out, where it is XML that has something to lay out; `None` for anything else.
pub(in crate::ui) fn xml(text: &str) -> Option<String> {
    if !text.trim_start().starts_with('<') || text.len() > PRETTY_BYTES_MAX {
        return None;
    }
    let tokens = read(text)?;
    let mut laid = String::with_capacity(text.len() * 2);
    let (mut depth, mut index) = (0_usize, 0);
    while let Some(token) = tokens.get(index) {
        let mut shown = token.at.clone();
        match token.kind {
            // Between elements: a text with something in it would have kept its element as it is.
            Kind::Text => {
                index += 1;
                continue;
            }
            Kind::End => depth = depth.saturating_sub(1),
            Kind::Start { as_it_is: Some(end) } => {
                shown.end = tokens.get(end)?.at.end;
                index = end;
            }
            Kind::Start { as_it_is: None } | Kind::Alone => {}
        }
        if !laid.is_empty() {
            new_line(&mut laid, depth);
        }
        laid.push_str(text.get(shown)?);
        if laid.len() > LAID_BYTES_MAX {
            return None;
        }
        depth += usize::from(matches!(token.kind, Kind::Start { as_it_is: None }));
        index += 1;
    }
    (laid != text.trim_end()).then_some(laid)
}

/// A part of the document: what it is, and where it stands.
struct Token {
    kind: Kind,
    at: Range<usize>,
}

enum Kind {
    /// A start tag; with the place of its end tag among the tokens, where all up to that stays as it is.
    Start { as_it_is: Option<usize> },
    /// An end tag.
    End,
    /// An element without content, a comment, or what else stands by itself.
    Alone,
    /// Text.
    Text,
}

/// An element that is not closed yet.
#[derive(Default)]
struct Open {
    /// The place of its start tag among the tokens.
    start: usize,
    has_elements: bool,
    has_text: bool,
}

/// The document in parts; `None` where it is not well-formed.
fn read(text: &str) -> Option<Vec<Token>> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let (mut tokens, mut open, mut roots) = (Vec::<Token>::new(), Vec::<Open>::new(), 0_usize);
    let mut from = 0;
    loop {
        let event = reader.read_event().ok()?;
        let to = usize::try_from(reader.buffer_position()).ok()?;
        let part = text.get(from..to)?;
        let kind = match event {
            Event::Start(tag) | Event::Empty(tag) if !is_well_formed(&tag) => return None,
            Event::Start(tag) => {
                begin(&mut open, &mut roots);
                let has_text = keeps_space(&tag);
                open.push(Open { start: tokens.len(), has_text, ..Open::default() });
                Kind::Start { as_it_is: None }
            }
            Event::Empty(_) => {
                begin(&mut open, &mut roots);
                Kind::Alone
            }
            Event::End(_) => {
                let closed = open.pop()?;
                if closed.has_text || !closed.has_elements {
                    let as_it_is = Some(tokens.len());
                    tokens.get_mut(closed.start)?.kind = Kind::Start { as_it_is };
                }
                Kind::End
            }
            Event::Text(_) if part.trim_matches([' ', '\t', '\r', '\n']).is_empty() => Kind::Text,
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                open.last_mut()?.has_text = true;
                Kind::Text
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => Kind::Alone,
            Event::Eof => break,
        };
        tokens.push(Token { kind, at: from..to });
        from = to;
    }
    (open.is_empty() && roots == 1 && from == text.len()).then_some(tokens)
}

/// Another element begins: in the one that is open, or as the whole document.
fn begin(open: &mut [Open], roots: &mut usize) {
    match open.last_mut() {
        Some(around) => around.has_elements = true,
        None => *roots += 1,
    }
}

/// Whether the attributes can be read. That none is there twice is not looked at: it would be long to see, of thousands.
fn is_well_formed(tag: &BytesStart<'_>) -> bool {
    tag.attributes().with_checks(false).all(|attribute| attribute.is_ok())
}

/// Whether the author says that white space means something here.
fn keeps_space(tag: &BytesStart<'_>) -> bool {
    let mut attributes = tag.attributes();
    attributes.with_checks(false).flatten().any(|attribute| attribute.key.as_ref() == "xml:space")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_laid_out_and_what_has_text_in_it_stays() {
        let text = concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE event>",
            "<event><id>evt_1</id><data type=\"object\"><empty></empty><blank> </blank><none/>",
            "<mixed>one <b>two</b> three<i/></mixed><ref>&lt;<b/></ref>",
            "<!-- two\nlines --><list a='>'>\n\t<item><![CDATA[<x>]]></item>  </list>",
            "<pre xml:space='preserve'><a/> <b/></pre></data></event>\n<?end?>\n",
        );
        insta::assert_snapshot!(xml(text).expect("it is XML"), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <!DOCTYPE event>
        <event>
          <id>evt_1</id>
          <data type="object">
            <empty></empty>
            <blank> </blank>
            <none/>
            <mixed>one <b>two</b> three<i/></mixed>
            <ref>&lt;<b/></ref>
            <!-- two
        lines -->
            <list a='>'>
              <item><![CDATA[<x>]]></item>
            </list>
            <pre xml:space='preserve'><a/> <b/></pre>
          </data>
        </event>
        <?end?>
        "#);
        let packed = |text: &str| text.chars().filter(|char| !char.is_whitespace()).collect::<String>();
        assert_eq!(packed(&xml(text).expect("it is XML")), packed(text));
    }

    #[test]
    fn what_is_laid_out_already_stays() {
        let laid = xml("<a><b>1</b><c><d/></c></a>").expect("it is XML");
        assert_eq!(xml(&laid), None);
        assert_eq!(xml(&format!("{laid}\n")), None);
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        for text in [
            "",
            " ",
            "{\"a\":\"<a/>\"}",
            "<",
            "<a",
            "<a>",
            "</a>",
            "<a><b></a></b>",
            "<a/><b><c/></b>",
            "<a/>text",
            "text<a/>",
            "<a b><c/></a>",
            "<a b='1><c/></a>",
            "<a><b/>&</a>",
            "<a><!-- -- --><b/></a>",
            "<!doctype html><p>one<br>two</p>",
            "<a><b/><![CDATA[</a>",
            "<a>text</a>",
            "<?xml version=\"1.0\"?>",
            "<!-- alone -->",
        ] {
            assert_eq!(xml(text), None, "{text}");
        }
        let long = |bytes: usize| xml(&format!("<a><b>{}</b></a>", "x".repeat(bytes - 14))).is_some();
        assert_eq!([long(PRETTY_BYTES_MAX), long(PRETTY_BYTES_MAX + 1)], [true, false]);
    }

    #[test]
    fn what_would_be_mostly_indents_stays_as_it_is() {
        let deep = |many: usize| xml(&format!("{}{}", "<a>".repeat(many), "</a>".repeat(many)));
        assert!(deep(200).is_some());
        assert_eq!(deep(PRETTY_BYTES_MAX / 7), None);
    }

    #[test]
    fn whatever_comes_is_laid_out_with_nothing_lost_or_stays() {
        let text =
            "<?xml version=\"1.0\"?><a b='1'><c>ü &amp; <d/></c> <!-- e --><![CDATA[f]]><g h=\"i\"/></a>";
        let packed = |text: &str| text.chars().filter(|char| !char.is_whitespace()).collect::<String>();
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        for place in places {
            let (before, after) = text.split_at(place);
            for between in [
                "", "<", ">", "/", "&", "'", "\"", "!", "?", "-", "]", "=", " ", "\0", "ü", "<x>", "</a>",
                "<!--", "]]>",
            ] {
                for odd in [
                    format!("{before}{between}{after}"),
                    format!("{before}{between}"),
                    format!("{between}{after}"),
                ] {
                    if let Some(laid) = xml(&odd) {
                        assert_eq!(packed(&laid), packed(&odd), "{odd}");
                    }
                }
            }
        }
    }
}
