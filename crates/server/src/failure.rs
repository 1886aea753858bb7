//! How a command ends that could not do what it was asked to: a sentence on standard error, and a code.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::config::BadConfig;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong: code 2, as for a wrong command line.
    Config(BadConfig),
    /// The world is not as it has to be: code 1.
    World(String),
}

impl Failure {
    /// A sentence of its own.
    pub(crate) fn new(sentence: impl Into<String>) -> Failure {
        Failure::World(sentence.into())
    }

    /// What was tried, and the errors behind it, for `map_err`.
    pub(crate) fn doing<E: Error>(tried: impl Into<String>) -> impl FnOnce(E) -> Failure {
        move |error| Failure::World(format!("{}: {}", tried.into(), chain(&error)))
    }

    /// Says it on standard error.
    pub(crate) fn tell(&self) -> ExitCode {
        match self {
            Failure::Config(bad) => {
                for line in bad.to_string().lines() {
                    eprintln!("keybell: {line}");
                }
                ExitCode::from(2)
            }
            Failure::World(sentence) => {
                eprintln!("keybell: {sentence}");
                ExitCode::FAILURE
            }
        }
    }
}

impl From<keybell_core::Problem> for Failure {
    fn from(problem: keybell_core::Problem) -> Self {
        Failure::World(chain(&problem))
    }
}

impl From<BadConfig> for Failure {
    fn from(bad: BadConfig) -> Self {
        Failure::Config(bad)
    }
}

/// An error and the errors behind it, in one line. A source whose words its error has said already is not repeated.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !text.ends_with(&words) {
            write!(text, ": {words}").expect("a text takes every word");
        }
        next = source.source();
    }
    text
}
