//! The program itself: what it prints, its exit codes, the host it runs, and the commands beside and without a host.

mod alerts;
mod compiling;
mod completion;
mod configuration;
mod following;
mod importing;
mod one_shot;
mod opening;
mod packages;
pub(crate) mod place;
mod plugins;
pub(crate) mod running;
mod storing;
mod terminal;
