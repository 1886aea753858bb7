//! Reading settings: each by its kind, with a sentence about what it can be where it is something else.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use toml::Value;

use super::duration;
use super::fault::{Fault, Origin};
use super::layers::Layers;

/// Reads settings out of layers and gathers what is wrong. A reading that found a fault is `None`.
pub(super) struct Reader {
    layers: Layers,
    read: BTreeSet<String>,
}

impl Reader {
    pub(super) fn new(layers: Layers) -> Reader {
        Reader { layers, read: BTreeSet::new() }
    }

    /// The settings as they were written.
    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// What was found wrong; settings that nobody read are a bug of this program and are named, too.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        let unread = self.layers.settings.keys().find(|setting| !self.read.contains(*setting));
        assert!(unread.is_none(), "the setting {unread:?} is in the defaults and nobody reads it");
        self.layers.faults
    }

    /// Where the value of a setting was written.
    pub(super) fn origin(&self, setting: &str) -> &Origin {
        &self.layers.settings[setting].origin
    }

    /// Says that a setting's value does not go with the others.
    pub(super) fn refuse(&mut self, setting: &str, allowed: impl Display) {
        let found = &self.layers.settings[setting];
        self.layers.faults.push(Fault::Wrong {
            setting: setting.to_owned(),
            value: found.value.to_string(),
            origin: found.origin.clone(),
            allowed: allowed.to_string(),
        });
    }

    /// Says that a value that may hold a password cannot be used, without showing it.
    pub(super) fn refuse_unseen(&mut self, setting: &str, allowed: impl Display) {
        let origin = self.origin(setting).clone();
        let value = "(not shown)".to_owned();
        self.layers.faults.push(Fault::Wrong {
            setting: setting.to_owned(),
            value,
            origin,
            allowed: allowed.to_string(),
        });
    }

    /// Reads a setting by `parse`; `allowed` is what it must be.
    pub(super) fn parsed<T>(
        &mut self,
        setting: &'static str,
        allowed: impl Display,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        self.read.insert(setting.to_owned());
        let found = parse(&self.layers.settings[setting].value);
        if found.is_none() {
            self.refuse(setting, allowed);
        }
        found
    }

    /// Text.
    pub(super) fn text(&mut self, setting: &'static str) -> Option<String> {
        self.parsed(setting, "text in quotes", |value| value.as_str().map(str::to_owned))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, setting: &'static str) -> Option<bool> {
        self.parsed(setting, "true or false", Value::as_bool)
    }

    /// A whole number within a range.
    pub(super) fn number<T: TryFrom<i64> + PartialOrd + Display>(
        &mut self,
        setting: &'static str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.parsed(setting, allowed, |value| {
            let number = T::try_from(value.as_integer()?).ok()?;
            range.contains(&number).then_some(number)
        })
    }

    /// A duration within a range.
    pub(super) fn duration(
        &mut self,
        setting: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let allowed = format!("a duration {}, such as \"{}\"", said(&range), duration::print(*range.end()));
        self.parsed(setting, allowed, |value| within(value, &range))
    }

    /// A list of at most `longest` durations, each within a range.
    pub(super) fn durations(
        &mut self,
        setting: &'static str,
        longest: usize,
        range: RangeInclusive<Duration>,
    ) -> Option<Vec<Duration>> {
        let allowed =
            format!("a list of at most {longest} durations, each {}, such as [\"5s\", \"5m\"]", said(&range));
        self.parsed(setting, allowed, |value| {
            let list = value.as_array().filter(|list| list.len() <= longest)?;
            list.iter().map(|value| within(value, &range)).collect()
        })
    }

    /// A list of networks; an address alone is the network of that address.
    pub(super) fn networks(&mut self, setting: &'static str) -> Option<Vec<IpNet>> {
        let allowed = "a list of networks such as [\"10.0.0.0/8\", \"fd00::/8\"]";
        self.parsed(setting, allowed, |value| {
            value.as_array()?.iter().map(|value| network(value.as_str()?)).collect()
        })
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn within(value: &Value, range: &RangeInclusive<Duration>) -> Option<Duration> {
    duration::parse(value.as_str()?).filter(|duration| range.contains(duration))
}

fn said(range: &RangeInclusive<Duration>) -> String {
    format!("from {} to {}", duration::print(*range.start()), duration::print(*range.end()))
}
