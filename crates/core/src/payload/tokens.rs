//! JSON as a stream of tokens that borrow from the text, so that number spelling, member order and duplicates survive.
//!
//! It reads text that [`check_data`](crate::event::check_data) has accepted. It never panics: over anything else the tokens
//! mean nothing.

use std::borrow::Cow;

/// One token. Strings and keys are what stands between the quotes, escapes and all; see [`unescape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Key(&'a str),
    String(&'a str),
    Number(&'a str),
    Boolean(&'a str),
    Null,
}

/// The tokens of a JSON text.
pub(crate) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// The tokens of `json`.
    pub(crate) fn of(json: &'a str) -> Self {
        Tokens { rest: json }
    }

    /// Takes the first `bytes` bytes.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// A string whose opening quote was taken; a key where a colon follows, which is taken too.
    fn string(&mut self) -> Token<'a> {
        let raw = self.take(closing_quote(self.rest));
        self.rest = self.rest.strip_prefix('"').unwrap_or("");
        self.skip_space();
        match self.rest.strip_prefix(':') {
            Some(rest) => {
                self.rest = rest;
                Token::Key(raw)
            }
            None => Token::String(raw),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', ',']);
        let first = self.rest.chars().next()?;
        let (token, bytes) = match first {
            '{' => (Token::ObjectStart, 1),
            '}' => (Token::ObjectEnd, 1),
            '[' => (Token::ArrayStart, 1),
            ']' => (Token::ArrayEnd, 1),
            '"' => {
                self.take(1);
                return Some(self.string());
            }
            _ => {
                let end = self.rest.find([' ', '\t', '\n', '\r', ',', ']', '}']).unwrap_or(self.rest.len());
                let word = self.take(end);
                return Some(match first {
                    't' | 'f' => Token::Boolean(word),
                    'n' => Token::Null,
                    _ => Token::Number(word),
                });
            }
        };
        self.take(bytes);
        Some(token)
    }
}

/// Where the quote stands that ends the string `text` begins with; its length where there is none.
fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// The text that a string's inside stands for.
pub(crate) fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (meant, after) = escape(&rest[at + 1..]);
        // `check_data` has refused what stands for no character.
        text.push(meant.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = after;
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Whether a string's inside has half of a surrogate pair.
pub(crate) fn has_lone_surrogate(raw: &str) -> bool {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (meant, after) = escape(&rest[at + 1..]);
        if meant.is_none() {
            return true;
        }
        rest = after;
    }
    false
}

/// What stands after a backslash: the character it means, if any, and the text after it.
fn escape(text: &str) -> (Option<char>, &str) {
    let Some(letter) = text.chars().next() else { return (None, text) };
    let rest = &text[letter.len_utf8()..];
    let meant = match letter {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode_escape(rest),
        other => other,
    };
    (Some(meant), rest)
}

/// What stands after `\u`: four hexadecimal digits, and for a high surrogate the escape of a low one.
fn unicode_escape(text: &str) -> (Option<char>, &str) {
    let Some((unit, rest)) = four_digits(text) else { return (None, text) };
    if !(0xd800..0xdc00).contains(&unit) {
        return (char::from_u32(unit), rest);
    }
    let low = rest.strip_prefix("\\u").and_then(four_digits);
    match low {
        Some((low, rest)) if (0xdc00..0xe000).contains(&low) => {
            (char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)), rest)
        }
        _ => (None, rest),
    }
}

fn four_digits(text: &str) -> Option<(u32, &str)> {
    let digits = text.get(..4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, &text[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_order_duplicates_and_spelling() {
        let json = r#" {"b" : [1.50, -0e+7,true ,false,null],"a":"x\"y","a":{} } "#;
        let tokens: Vec<_> = Tokens::of(json).collect();
        let expected = [
            Token::ObjectStart,
            Token::Key("b"),
            Token::ArrayStart,
            Token::Number("1.50"),
            Token::Number("-0e+7"),
            Token::Boolean("true"),
            Token::Boolean("false"),
            Token::Null,
            Token::ArrayEnd,
            Token::Key("a"),
            Token::String("x\\\"y"),
            Token::Key("a"),
            Token::ObjectStart,
            Token::ObjectEnd,
            Token::ObjectEnd,
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn escapes_mean_what_json_says() {
        assert_eq!(unescape(r#"\"\\\/\b\f\n\r\t\u0041\uD83D\uDE00é"#), "\"\\/\u{8}\u{c}\n\r\tA😀é");
    }

    proptest::proptest! {
        #[test]
        fn any_text_at_all_gives_tokens_and_no_panic(text in "\\PC*") {
            for token in Tokens::of(&text) {
                if let Token::Key(raw) | Token::String(raw) = token {
                    let _ = (unescape(raw), has_lone_surrogate(raw));
                }
            }
        }

        #[test]
        fn unescaping_agrees_with_serde_json(text: String) {
            let json = serde_json::to_string(&text).expect("text is JSON");
            let mut tokens = Tokens::of(&json);
            let Some(Token::String(raw)) = tokens.next() else { panic!("{json} is a string") };
            proptest::prop_assert_eq!(unescape(raw), text.as_str());
            proptest::prop_assert_eq!(tokens.next(), None);
        }
    }
}
