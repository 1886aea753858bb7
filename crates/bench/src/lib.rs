//! What the benches of this package share: what a process cost, and on what machine.

pub mod machine;
