//! CPU and wall time of a stretch of work, and memory.

use std::time::{Duration, Instant};

/// Whose CPU time.
#[derive(Clone, Copy)]
enum Whose {
    Process,
    Thread,
}

#[allow(unsafe_code, reason = "the standard library knows no CPU clock")]
fn cpu(whose: Whose) -> Duration {
    let clock = match whose {
        Whose::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
        Whose::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
    };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer, and both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of this thread so far.
pub(crate) fn thread_time() -> Duration {
    cpu(Whose::Thread)
}

/// CPU time of all threads of this process so far.
pub(crate) fn process_time() -> Duration {
    cpu(Whose::Process)
}

/// What a stretch of work took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Spent {
    /// For one of `count` parts of the work.
    pub(crate) fn each(self, count: usize) -> f64 {
        self.cpu.as_secs_f64() / count as f64
    }
}

/// Measures the process from its creation on, apart from what is left out.
pub(crate) struct Meter {
    cpu: Duration,
    wall: Instant,
    left_out: Spent,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { cpu: cpu(Whose::Process), wall: Instant::now(), left_out: Spent::default() }
    }

    /// Does something that is not to be measured.
    pub(crate) fn leave_out<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (cpu_before, wall_before) = (cpu(Whose::Thread), Instant::now());
        let done = work();
        self.left_out.cpu += cpu(Whose::Thread) - cpu_before;
        self.left_out.wall += wall_before.elapsed();
        done
    }

    pub(crate) fn read(&self) -> Spent {
        Spent {
            cpu: (cpu(Whose::Process) - self.cpu).saturating_sub(self.left_out.cpu),
            wall: self.wall.elapsed().saturating_sub(self.left_out.wall),
        }
    }
}

/// The median of several runs, by CPU time, after one that is not counted.
pub(crate) fn median(repeat: usize, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Spent> {
    work()?;
    let mut runs = Vec::with_capacity(repeat);
    for _ in 0..repeat.max(1) {
        let meter = Meter::start();
        work()?;
        runs.push(meter.read());
    }
    runs.sort_by_key(|spent| spent.cpu);
    Ok(runs.get(runs.len() / 2).copied().unwrap_or_default())
}

/// Resident bytes of this process.
pub(crate) fn resident() -> anyhow::Result<u64> {
    memory("VmRSS:")
}

/// The most resident bytes that this process ever had.
pub(crate) fn peak() -> anyhow::Result<u64> {
    memory("VmHWM:")
}

fn memory(name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}
