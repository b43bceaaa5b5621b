//! SIGINT and SIGTERM: once they are caught they end nothing by themselves, they are asked for and waited for.

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Failure;

/// Whether one of the two came. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Catches both from now on.
    pub(crate) fn catch(runtime: &Runtime) -> Result<Self, Failure> {
        let _context = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::unreachable)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::unreachable)?;
        let (sender, receiver) = watch::channel(false);
        runtime.spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // With no receiver left nobody wants to know.
            let _ = sender.send(true);
        });
        Ok(Self(receiver))
    }

    /// Whether one came already.
    pub(crate) fn came(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes when one came.
    pub(crate) async fn wait(mut self) {
        // The sender only goes when the runtime ends; then nothing is to be waited for either.
        let _ = self.0.wait_for(|came| *came).await;
    }
}
