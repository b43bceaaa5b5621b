//! What is told while a host is opened: compiling plugins takes seconds, the first time.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::builder::HostError;

/// What a host is about to do while it is opened; see [`crate::HostBuilder::on_progress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenProgress<'a> {
    /// A component is compiled; that is once for each component, as compiled code is kept.
    Compiling {
        /// The plugin, or the receiver, that it is loaded for.
        name: &'a str,
        /// Which one it is of those that are to be compiled, from 1.
        number: usize,
        /// How many are to be compiled.
        total: usize,
    },
    /// All plugins are loaded; monitors and deliveries are started.
    Starting,
}

/// Is told what the host is about to do, and says whether it should.
pub(crate) type ProgressListener = dyn FnMut(OpenProgress<'_>) -> ControlFlow<()> + Send;

/// Tells the listener, if there is one.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) listener: Option<Box<ProgressListener>>,
    /// SHA-256 of what is to be compiled and was not told of yet.
    uncompiled: BTreeSet<String>,
    total: usize,
}

impl Progress {
    /// Notes that the component with this hash is going to be compiled.
    pub(super) fn plan(&mut self, sha256: &str) {
        self.total += usize::from(self.uncompiled.insert(sha256.to_owned()));
    }

    /// To be called before a component is loaded for `name`.
    pub(super) fn before_loading(&mut self, name: &str, sha256: &str) -> Result<(), HostError> {
        if !self.uncompiled.remove(sha256) {
            return Ok(());
        }
        let number = self.total.saturating_sub(self.uncompiled.len());
        self.tell(OpenProgress::Compiling { name, number, total: self.total })
    }

    /// Tells one step; an error when the host should not be opened.
    pub(crate) fn tell(&mut self, step: OpenProgress<'_>) -> Result<(), HostError> {
        match self.listener.as_mut().map(|listener| listener(step)) {
            Some(ControlFlow::Break(())) => Err(HostError::Interrupted),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_component_is_told_of_once_and_a_listener_can_stop() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let listener = move |step: OpenProgress<'_>| {
            log.lock().unwrap().push(format!("{step:?}"));
            if step == OpenProgress::Starting { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut progress = Progress { listener: Some(Box::new(listener)), ..Progress::default() };
        for sha256 in ["aa", "bb", "aa"] {
            progress.plan(sha256);
        }
        for (name, sha256) in [("threshold", "aa"), ("cpu-high", "aa"), ("cached", "cc"), ("redact", "bb")] {
            progress.before_loading(name, sha256).unwrap();
        }
        assert!(matches!(progress.tell(OpenProgress::Starting), Err(HostError::Interrupted)));
        let expected = [
            "Compiling { name: \"threshold\", number: 1, total: 2 }",
            "Compiling { name: \"redact\", number: 2, total: 2 }",
            "Starting",
        ];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
