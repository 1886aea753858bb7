//! What the figures were measured on, and what a process cost: read from `/proc`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Kernel ticks of CPU accounting a second. Linux has reported 100 to user space on every machine for decades.
const TICKS_PER_SECOND: u64 = 100;

/// One line: processor, cores, kernel, commit.
pub fn description() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = said(&["rev-parse", "--short=12", "HEAD"]);
    let changed =
        if said(&["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { ", changed" };
    format!("{model}, {cores} cores, Linux {}, commit {commit}{changed}", kernel.trim())
}

fn said(arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// How much memory a process holds that is its own, in bytes, once it gives nothing back any more; 0 where there is no such
/// process. What is mapped from files is not counted.
pub fn settled_memory(process: u32) -> u64 {
    let mut held = own_memory(process);
    for _ in 0..RESTS_MAX {
        std::thread::sleep(REST);
        let now = own_memory(process);
        if now >= held {
            break;
        }
        held = now;
    }
    held
}

/// An allocator gives back what it does not need after a moment.
const REST: Duration = Duration::from_secs(1);
/// How many moments are waited for at most.
const RESTS_MAX: usize = 5;

fn own_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// What processes have cost so far, in user and kernel time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu(Duration);

impl Cpu {
    /// Of one process.
    pub fn of(process: u32) -> Cpu {
        Cpu(ticks(Stat::read(process).map_or(0, |stat| stat.own)))
    }

    /// Of a process and all its children, those that have ended included. PostgreSQL is such a family.
    pub fn of_family(parent: u32) -> Cpu {
        let own = Stat::read(parent).map_or(0, |stat| stat.own + stat.ended_children);
        let processes = std::fs::read_dir(Path::new("/proc")).into_iter().flatten().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let children =
            numbers.filter_map(Stat::read).filter(|stat| stat.parent == parent).map(|stat| stat.own);
        Cpu(ticks(own + children.sum::<u64>()))
    }

    /// Microseconds spent since `before`, for each of `count`.
    #[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
    pub fn micros_each(self, before: Cpu, count: u64) -> f64 {
        self.0.saturating_sub(before.0).as_secs_f64() * 1e6 / count as f64
    }
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1000 / TICKS_PER_SECOND)
}

/// The fields of `/proc/<pid>/stat` that we use; times in ticks.
struct Stat {
    parent: u32,
    own: u64,
    ended_children: u64,
}

impl Stat {
    fn read(process: u32) -> Option<Stat> {
        Stat::parse(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Stat> {
        // The name stands in parentheses and may hold anything, so the fields are counted from the last one.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Stat {
            parent: u32::try_from(number(1)?).ok()?,
            own: number(11)? + number(12)?,
            ended_children: number(13)? + number(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_a_process_is_read_whatever_its_name() {
        let stat =
            Stat::parse("17 (a) b) S 4 17 17 0 -1 4 1 2 3 4 250 50 7 3 20 0 1").expect("it is well formed");
        assert_eq!((stat.parent, stat.own, stat.ended_children), (4, 300, 10));
        assert_eq!(ticks(stat.own), Duration::from_secs(3));
    }

    #[test]
    fn a_cost_is_divided_among_what_it_was_for() {
        let (before, after) = (Cpu(Duration::from_millis(100)), Cpu(Duration::from_millis(300)));
        assert!((after.micros_each(before, 1000) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn this_process_has_a_parent_and_its_family_costs_no_less_than_itself() {
        let own = std::process::id();
        assert!(Stat::read(own).is_some());
        assert!(Cpu::of(own).0 <= Cpu::of_family(own).0);
    }
}
