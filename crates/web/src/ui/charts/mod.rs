//! Charts as our own SVG: pure functions from counts by time to figures. The handlers of pages call them; nothing here
//! knows the app, a colour or the reader's zone.
//!
//! A drawing has classes in place of colours, which the style sheet gives it in light, in dark and in forced colours. It is
//! stretched to the width there is, so its texts stand beside it as HTML and stay legible on a narrow window. What it says
//! stands over it as a sentence and under it as a table: nobody has to see it to know.
//!
//! Time is cut into buckets that are instants of UTC, each as long as the next, so a day on which clocks are changed has
//! none too many and none too few. Days are days of UTC, and say so.

mod axis;
mod bars;
mod figure;
mod latency;
mod number;
mod outcomes;
mod sparkline;
mod timeline;

pub use bars::{Words, bars};
pub use figure::Chart;
pub use latency::latency;
pub use number::{grouped, rate};
pub use outcomes::Outcomes;
pub use sparkline::Sparkline;
pub use timeline::{BUCKETS_MAX, Timeline};
