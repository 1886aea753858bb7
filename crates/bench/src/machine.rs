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

/// What a process holds of the machine's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All that is resident, what is mapped from files included: `VmRSS`, bytes.
    pub resident_bytes: u64,
    /// The most that ever was: `VmHWM`, bytes.
    pub resident_bytes_peak: u64,
    /// Of what is resident, what is no file's: `RssAnon`, bytes.
    pub anonymous_bytes: u64,
}

impl Memory {
    /// Of one process; nothing where there is no such process.
    pub fn of(process: u32) -> Memory {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        Memory::parse(&status)
    }

    fn parse(status: &str) -> Memory {
        let bytes = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).unwrap_or(0)
                * 1024
        };
        Memory {
            resident_bytes: bytes("VmRSS:"),
            resident_bytes_peak: bytes("VmHWM:"),
            anonymous_bytes: bytes("RssAnon:"),
        }
    }
}

/// What one thread has done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its id, and what it is called.
    pub id: u32,
    /// What it is called; the kernel keeps 15 characters.
    pub name: String,
    /// How often it was taken from a core: because it waited, or because its time was up. Each is followed by a wake-up.
    pub switches: u64,
    /// How long it ran.
    pub ran: Duration,
}

/// The threads of a process as they are now.
pub fn threads(process: u32) -> Vec<Thread> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let ids = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| Thread::read(process, id)).collect()
}

impl Thread {
    fn read(process: u32, id: u32) -> Option<Thread> {
        let read = |file| std::fs::read_to_string(format!("/proc/{process}/task/{id}/{file}")).ok();
        Thread::parse(id, &read("status")?, &read("schedstat").unwrap_or_default())
    }

    fn parse(id: u32, status: &str, schedule: &str) -> Option<Thread> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let number = |name| field(name)?.parse::<u64>().ok();
        let ran = schedule.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
        Some(Thread {
            id,
            name: field("Name:")?.to_owned(),
            switches: number("voluntary_ctxt_switches:")? + number("nonvoluntary_ctxt_switches:")?,
            ran: Duration::from_nanos(ran),
        })
    }
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
    Memory::of(process).anonymous_bytes
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

    /// What was spent since `before`.
    pub fn since(self, before: Cpu) -> Duration {
        self.0.saturating_sub(before.0)
    }

    /// Microseconds spent since `before`, for each of `count`.
    #[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
    pub fn micros_each(self, before: Cpu, count: u64) -> f64 {
        self.since(before).as_secs_f64() * 1e6 / count as f64
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
    fn memory_is_read_in_bytes_and_is_nothing_where_there_is_no_process() {
        let status = "VmHWM:\t   300 kB\nVmRSS:\t   200 kB\nRssAnon:\t   100 kB\n";
        let memory =
            Memory { resident_bytes: 204_800, resident_bytes_peak: 307_200, anonymous_bytes: 102_400 };
        assert_eq!(Memory::parse(status), memory);
        assert_eq!(Memory::of(0), Memory::default());
    }

    #[test]
    fn a_thread_is_read_with_its_switches_and_its_time() {
        let status = "Name:\tsqlite-write\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t2\n";
        let thread = Thread::parse(5, status, "1500 20 9").expect("it is well formed");
        assert_eq!((thread.name.as_str(), thread.switches), ("sqlite-write", 9));
        assert_eq!(thread.ran, Duration::from_nanos(1500));
        assert!(!threads(std::process::id()).is_empty());
    }

    #[test]
    fn this_process_has_a_parent_and_its_family_costs_no_less_than_itself() {
        let own = std::process::id();
        assert!(Stat::read(own).is_some());
        assert!(Cpu::of(own).0 <= Cpu::of_family(own).0);
    }
}
