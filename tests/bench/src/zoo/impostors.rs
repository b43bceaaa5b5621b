//! Components that are no good and are put in the place of others while records come: hot reload under attack.
//!
//! They attack where a plugin is loaded, tried and replaced, and some by their bytes alone. Most are refused. What is let in, since its
//! attack comes only later, is replaced by the right one at once, and makes its attack at that.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bridge_telemetry::Host;
use bridge_telemetry::plugins::{
    CompileLimits, CompilerProgram, PluginKind, ReloadError, ReloadOutcome, ReloadReport,
};
use bridge_telemetry_tests as artifact;

use super::configuration::{STEADY, Shelf};
use super::residents::guest_of;
use super::shapes::{compile_bomb, many_memories, with_order};

/// What this program is told as `--child` when it is to compile.
pub(crate) const COMPILER: &str = "compile-component-for-parent";
/// Processor time of one compilation. By default it is two minutes, which is longer than a turn.
const COMPILE_CPU: Duration = Duration::from_secs(5);
/// Time between two attempts: all come within a turn.
const PAUSE: Duration = Duration::from_millis(700);
/// Bytes of a component that is too large.
const LARGE: u64 = 100 << 20;

/// What a component is, beside the guest that it is made of.
enum Make {
    /// It makes this attack.
    Order(&'static str),
    ManyMemories,
    CompileBomb,
    /// It has a hundred megabytes.
    Large,
}

/// Whose place is wanted, and by what: plugins take turns. Without `only` in their configuration guests see every record; of
/// aggregations other functions fail as well.
const WANTED: [(&str, Make); 34] = [
    ("redact", Make::Order("describe/trap")),
    ("threshold", Make::Order("describe/broken-json")),
    ("percentile", Make::Order("aggregates/giant-string")),
    ("console", Make::Order("init/trap")),
    (STEADY, Make::Order("init-restored/trap")),
    ("redact", Make::Order("describe/giant-string")),
    ("threshold", Make::Order("init/trap")),
    ("percentile", Make::Order("init/handles")),
    ("console", Make::Order("init/loop-in-host")),
    (STEADY, Make::Order("on-events/trap")),
    ("redact", Make::Order("init/loop")),
    ("threshold", Make::Order("subscribe/no-utf8")),
    ("percentile", Make::Order("create/trap")),
    ("console", Make::Order("snapshot/trap")),
    (STEADY, Make::Order("on-events/nan")),
    ("redact", Make::ManyMemories),
    ("percentile", Make::Order("update/memory")),
    ("console", Make::Order("deliver/trap")),
    (STEADY, Make::Order("tick/loop")),
    ("redact", Make::CompileBomb),
    ("percentile", Make::Order("evaluate/nan")),
    (STEADY, Make::Order("snapshot/trap")),
    ("redact", Make::Large),
    ("percentile", Make::Order("save/giant-list")),
    (STEADY, Make::Order("snapshot/giant-list")),
    ("redact", Make::Order("init/memory")),
    ("percentile", Make::Order("merge/trap")),
    ("redact", Make::Order("init/stack")),
    ("percentile", Make::Order("drop/trap")),
    ("redact", Make::Order("subscribe/giant-list")),
    ("redact", Make::Order("validate-events/loop")),
    ("redact", Make::Order("validate-events/wrong-row")),
    ("redact", Make::Order("validate-samples/memory")),
    ("redact", Make::Order("snapshot/trap")),
];

/// A component of this program's own making, and whose place it is to take.
struct Impostor {
    plugin: &'static str,
    file: PathBuf,
}

/// All of them; turns go on where the one before stopped.
pub(super) struct Impostors {
    all: Vec<Impostor>,
    next: AtomicUsize,
}

/// What became of attempts.
#[derive(Clone, Copy, Default)]
pub(super) struct Attempts {
    pub(super) refused: usize,
    /// Let in, and replaced by the right one.
    pub(super) replaced: usize,
    /// Neither: the plugin had been taken back by the host in the meantime, or the host was about to close.
    pub(super) others: usize,
}

/// Has components compiled by this program in a process of its own, as the command does.
pub(super) fn compile_elsewhere() -> anyhow::Result<()> {
    let limits = CompileLimits { cpu: COMPILE_CPU, ..CompileLimits::default() };
    let program = CompilerProgram::this()?.with_argument("--child").with_argument(COMPILER);
    program.with_limits(limits).register();
    Ok(())
}

impl Make {
    fn write(&self, guest: &[u8], file: &Path) -> anyhow::Result<()> {
        let bytes = match self {
            Self::Order(order) => with_order(guest, order)?,
            Self::ManyMemories => many_memories(guest)?,
            Self::CompileBomb => compile_bomb(guest)?,
            Self::Large => guest.to_vec(),
        };
        std::fs::write(file, bytes)?;
        if let Self::Large = self {
            std::fs::File::options().write(true).open(file)?.set_len(LARGE)?;
        }
        Ok(())
    }
}

impl Impostors {
    /// Makes their files in a folder.
    pub(super) fn prepare(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut all = Vec::new();
        for (number, (plugin, make)) in WANTED.into_iter().enumerate() {
            let kind = kind_of(plugin).with_context(|| format!("{plugin} is of no kind"))?;
            let file = folder.join(format!("{number}.wasm"));
            make.write(&std::fs::read(artifact::guest(guest_of(kind))?)?, &file)?;
            all.push(Impostor { plugin, file });
        }
        Ok(Self { all, next: AtomicUsize::new(0) })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Tries one after the other until it is over.
    pub(super) fn come(&self, host: &Host, shelf: &Shelf, over: &AtomicBool) -> anyhow::Result<Attempts> {
        let mut attempts = Attempts::default();
        while !over.load(Ordering::Acquire) {
            let number = self.next.fetch_add(1, Ordering::Relaxed) % self.count().max(1);
            let Some(Impostor { plugin, file }) = self.all.get(number) else { break };
            shelf.put(plugin, file)?;
            let answer = host.reload_plugin(plugin);
            attempts.count(&answer);
            shelf.restore(plugin)?;
            while is_let_in(&answer) && host.reload_plugin(plugin).is_err() && !over.load(Ordering::Acquire) {
                std::thread::sleep(PAUSE);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(attempts)
    }
}

impl Attempts {
    fn count(&mut self, answer: &Result<Vec<ReloadReport>, ReloadError>) {
        let count = match answer {
            Err(_) => &mut self.refused,
            Ok(_) if is_let_in(answer) => &mut self.replaced,
            Ok(_) => &mut self.others,
        };
        *count += 1;
    }

    pub(super) fn and(self, more: Self) -> Self {
        Self {
            refused: self.refused + more.refused,
            replaced: self.replaced + more.replaced,
            others: self.others + more.others,
        }
    }
}

fn is_let_in(answer: &Result<Vec<ReloadReport>, ReloadError>) -> bool {
    let is_in = |report: &ReloadReport| matches!(report.outcome, ReloadOutcome::Reloaded);
    answer.as_ref().is_ok_and(|reports| reports.iter().any(is_in))
}

/// What a plugin extends.
fn kind_of(plugin: &str) -> Option<PluginKind> {
    Some(match plugin {
        "redact" => PluginKind::Validator,
        "threshold" | STEADY => PluginKind::Monitor,
        "percentile" => PluginKind::Aggregator,
        "console" => PluginKind::Sink,
        _ => return None,
    })
}
