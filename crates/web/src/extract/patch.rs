//! A member of a JSON merge patch (RFC 7396): absent, null, or a value.

use keybell_core::Problem;
use serde::{Deserialize, Deserializer};

/// The three states of a member. Put it into a struct with `#[serde(default)]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Not named: stays as it is.
    #[default]
    Absent,
    /// Null: removed, or back to its default.
    Null,
    /// The new value.
    Value(T),
}

impl<T> Patch<T> {
    /// For a field that can be removed: `None` stays, `Some(None)` removes.
    pub fn removable(self) -> Option<Option<T>> {
        match self {
            Patch::Absent => None,
            Patch::Null => Some(None),
            Patch::Value(value) => Some(Some(value)),
        }
    }

    /// For a field that cannot be removed: null is refused in the name of `field`.
    pub fn required(self, field: &str) -> Result<Option<T>, Problem> {
        match self {
            Patch::Absent => Ok(None),
            Patch::Null => Err(Problem::field(field, "required", "cannot be removed")),
            Patch::Value(value) => Ok(Some(value)),
        }
    }
}

impl<T: Default> Patch<T> {
    /// For a field with a default: null sets it.
    pub fn or_default(self) -> Option<T> {
        match self {
            Patch::Absent => None,
            Patch::Null => Some(T::default()),
            Patch::Value(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Patch::Null, Patch::Value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        name: Patch<String>,
    }

    #[test]
    fn absent_null_and_value_are_three_things() {
        let read = |text: &str| serde_json::from_str::<Body>(text).expect("it fits").name;
        assert_eq!(read("{}").removable(), None);
        assert_eq!(read(r#"{"name":null}"#).removable(), Some(None));
        assert_eq!(read(r#"{"name":"a"}"#).removable(), Some(Some("a".to_owned())));
        assert!(read(r#"{"name":null}"#).required("name").is_err());
        assert_eq!(read(r#"{"name":null}"#).or_default(), Some(String::new()));
    }
}
