//! Processor time and memory of a process, from proc(5).

use std::fs;
use std::time::Duration;

/// The clock tick of `/proc/<pid>/stat`: the kernel reports 100 per second to user space, whatever its own rate is.
const TICK: Duration = Duration::from_millis(10);

/// Processor time so far of the process without its children: `utime` and `stime`.
pub(crate) fn processor_time(pid: i32) -> Duration {
    ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()) * TICK
}

/// Anonymous memory, in KiB.
pub(crate) fn anonymous_memory(pid: i32) -> u64 {
    rss_anon(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap())
}

/// Fields 14 and 15, counted from after the name, which may contain blanks and parentheses.
fn ticks(stat: &str) -> u32 {
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum()
}

fn rss_anon(status: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_that_of_user_and_system_whatever_the_name() {
        let stat = "4711 (a ) 9 9 b) S 1 4711 4711 0 -1 4194560 1022 0 3 0 120 45 7 8 20 0 9 0 1234 0 0";
        assert_eq!(ticks(stat), 165);
    }

    #[test]
    fn memory_is_the_anonymous_part() {
        assert_eq!(rss_anon("VmRSS:\t   12000 kB\nRssAnon:\t    4321 kB\nRssFile:\t 7 kB\n"), 4321);
    }

    #[test]
    fn this_process_can_be_measured() {
        let pid = std::process::id().cast_signed();
        assert!(anonymous_memory(pid) > 0 && processor_time(pid) < Duration::from_secs(3600));
    }
}
