//! Counts by time: which time is asked for, and in which steps.

use keybell_app::usage::{Step, UsageQuestion};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::shapes::At;

/// How much time a point is.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UsageStep)]
enum StepWord {
    Minute,
    #[default]
    Hour,
    Day,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StepsQuery {
    /// Of this time or later, from the beginning of its step; 24 steps before `to` where it is left out.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<At>,
    /// Before this time, to the end of its step; now where it is left out.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<At>,
    #[serde(default)]
    #[param(inline, required = false)]
    step: StepWord,
}

impl StepsQuery {
    pub(super) fn question(self) -> UsageQuestion {
        let step = match self.step {
            StepWord::Minute => Step::Minute,
            StepWord::Hour => Step::Hour,
            StepWord::Day => Step::Day,
        };
        UsageQuestion { from: self.from.map(|at| at.0), to: self.to.map(|at| at.0), step }
    }
}
