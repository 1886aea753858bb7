//! Which events a webhook wants: event types by name, groups as `portfolio.*`, or `*` for all of the platform, future ones
//! included. Keybell's own [operator events](crate::operator_event) are not among those: they are named, or `keybell.*`.

use crate::event::TypeName;
use crate::operator_event;

/// Most patterns of one webhook. Whoever wants more wants a group.
pub const SELECTION_MAX: usize = 256;

/// The events a webhook wants, as patterns that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    patterns: Vec<Pattern>,
}

/// One entry of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `*`: every type but Keybell's own.
    All,
    /// `group.*`: every type of a group.
    Group(TypeName),
    /// The type of that name.
    Type(TypeName),
}

/// Why a list of patterns is no selection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSelection {
    /// It selects nothing.
    #[error("must name at least one event type, a group such as portfolio.*, or *")]
    Empty,
    /// It has more than [`SELECTION_MAX`] patterns.
    #[error("must have at most {SELECTION_MAX} entries; a group such as portfolio.* stands for many")]
    TooMany,
    /// One of them is no pattern.
    #[error("must be the name of an event type, a group such as portfolio.*, or *")]
    Pattern {
        /// Which, counted from 0.
        index: usize,
    },
}

impl Pattern {
    /// Reads one pattern.
    pub fn parse(text: &str) -> Option<Pattern> {
        if text == "*" {
            return Some(Pattern::All);
        }
        match text.strip_suffix(".*") {
            Some(group) => TypeName::parse(group).ok().map(Pattern::Group),
            None => TypeName::parse(text).ok().map(Pattern::Type),
        }
    }

    /// Whether it selects the type of that name and group.
    pub fn wants(&self, type_name: &str, group: &str) -> bool {
        match self {
            Pattern::All => !operator_event::is_reserved(type_name),
            Pattern::Group(wanted) => wanted.as_str() == group,
            Pattern::Type(wanted) => wanted.as_str() == type_name,
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pattern::All => f.write_str("*"),
            Pattern::Group(group) => write!(f, "{group}.*"),
            Pattern::Type(name) => write!(f, "{name}"),
        }
    }
}

impl Selection {
    /// Reads a list of patterns. Whether the catalogue has what they name is for the caller to see.
    pub fn parse(patterns: &[String]) -> Result<Selection, BadSelection> {
        if patterns.is_empty() {
            return Err(BadSelection::Empty);
        }
        if patterns.len() > SELECTION_MAX {
            return Err(BadSelection::TooMany);
        }
        let read =
            |(index, text): (usize, &String)| Pattern::parse(text).ok_or(BadSelection::Pattern { index });
        Ok(Selection { patterns: patterns.iter().enumerate().map(read).collect::<Result<_, _>>()? })
    }

    /// Whether it selects the type of that name and group.
    pub fn wants(&self, type_name: &str, group: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.wants(type_name, group))
    }

    /// The patterns, in the order in which they were written.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(patterns: &[&str]) -> Result<Selection, BadSelection> {
        Selection::parse(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn selects_by_name_by_group_and_all() {
        let some = selection(&["research_report.published", "portfolio.*"]).expect("a selection");
        assert!(some.wants("research_report.published", "research_report"));
        assert!(!some.wants("research_report.updated", "research_report"));
        assert!(some.wants("portfolio.rebalanced", "portfolio"));
        assert!(selection(&["*"]).expect("a selection").wants("anything", "else"));
    }

    #[test]
    fn all_of_a_platforms_events_are_not_keybells_own() {
        let wants = |patterns: &[&str]| {
            selection(patterns).expect("a selection").wants(operator_event::WEBHOOK_FAILING, "keybell")
        };
        assert!(!wants(&["*"]));
        assert!(wants(&["keybell.*"]) && wants(&["*", "keybell.webhook.failing"]));
        assert!(!wants(&["keybell.webhook.disabled"]));
    }

    #[test]
    fn a_group_is_what_the_catalogue_says_and_not_a_prefix() {
        let group = selection(&["portfolio.*"]).expect("a selection");
        assert!(group.wants("weights_changed", "portfolio"));
        assert!(!group.wants("portfolio.rebalanced", "trading"));
        assert!(!group.wants("portfolio_old.closed", "portfolio_old"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_place() {
        assert_eq!(selection(&[]), Err(BadSelection::Empty));
        for bad in ["", "**", "*.a", ".*", "a.*.b", "a*", "a b"] {
            assert_eq!(selection(&["a", bad]), Err(BadSelection::Pattern { index: 1 }), "{bad}");
        }
    }

    #[test]
    fn a_selection_has_at_most_256_patterns() {
        assert!(selection(&["a"; SELECTION_MAX]).is_ok());
        assert_eq!(selection(&["a"; SELECTION_MAX + 1]), Err(BadSelection::TooMany));
    }

    #[test]
    fn prints_as_it_was_written() {
        let written = ["*", "a.b.*", "a.b"];
        let read = selection(&written).expect("a selection");
        assert_eq!(read.patterns().iter().map(ToString::to_string).collect::<Vec<_>>(), written);
    }
}
