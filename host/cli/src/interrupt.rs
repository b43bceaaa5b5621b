//! SIGINT and SIGTERM: the first is asked for and waited for, and ends nothing by itself; the second ends the process.

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Failure;

/// Exit code of a host that was not let come to its end: that of an operation that failed.
const EXIT_AT_ONCE: i32 = 1;

/// Whether one of the two came. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Catches both from now on, on a thread of its own: the second must end the process whatever the others do.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_io().build().map_err(Failure::unreachable)?;
        let context = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::unreachable)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::unreachable)?;
        drop(context);
        let (sender, receiver) = watch::channel(false);
        let listen = move || {
            runtime.block_on(heed(sender, async || {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }));
            end_at_once();
        };
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(listen);
        // It ends with the process.
        drop(thread.map_err(Failure::unreachable)?);
        Ok(Self(receiver))
    }

    /// Whether one came already.
    pub(crate) fn came(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes when one came.
    pub(crate) async fn wait(mut self) {
        // The sender only goes with the process; then nothing is to be waited for either.
        let _ = self.0.wait_for(|came| *came).await;
    }
}

/// Tells of the first signal; completes with the second.
async fn heed(sender: watch::Sender<bool>, mut next: impl AsyncFnMut()) {
    next().await;
    // With no receiver left nobody wants to know.
    let _ = sender.send(true);
    next().await;
}

fn end_at_once() {
    eprintln!("stopped at once by a second signal; what was answered as stored is stored");
    std::process::exit(EXIT_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use tokio::sync::mpsc::unbounded_channel;

    #[test]
    fn the_first_signal_is_told_and_the_second_is_the_end() {
        let (signals, mut coming) = unbounded_channel();
        let (sender, receiver) = watch::channel(false);
        let interrupt = Interrupt(receiver);
        let heeding = heed(sender, async || coming.recv().await.unwrap());
        Builder::new_current_thread().build().unwrap().block_on(async {
            let mut heeding = pin!(heeding);
            assert!(!interrupt.came());
            signals.send(()).unwrap();
            tokio::select! {
                biased;
                () = &mut heeding => panic!("the first signal ends nothing"),
                () = interrupt.clone().wait() => {}
            }
            assert!(interrupt.came());
            signals.send(()).unwrap();
            heeding.await;
        });
    }
}
