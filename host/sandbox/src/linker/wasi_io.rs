//! `wasi:io`: streams that end at once or lead into the plugin's log, and pollables that are always ready.

use telemetry_core::extension::FailureReason;
use telemetry_core::limits;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};

use super::wasi;
use crate::state::{HostState, stop};

/// Never made: no stream operation fails but by being closed.
pub(super) enum IoError {}
/// Always ready.
pub(super) enum Pollable {}
/// Always at its end.
pub(super) enum InputStream {}
/// [`STDOUT`] or [`STDERR`]; a stream has no state of its own, so its number says all.
pub(super) enum OutputStream {}

/// The number of standard output.
pub(super) const STDOUT: u32 = 1;
/// The number of standard error.
pub(super) const STDERR: u32 = 2;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Store<'a> = StoreContextMut<'a, HostState>;
type Input = Resource<InputStream>;
type Output = Resource<OutputStream>;

pub(super) fn add(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    add_error(linker)?;
    add_poll(linker)?;
    add_streams(linker)
}

fn add_error(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut error = linker.instance(&wasi("io/error"))?;
    error.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;
    error.func_wrap("[method]error.to-debug-string", |_: Store<'_>, (_,): (Resource<IoError>,)| {
        Ok(("closed".to_owned(),))
    })
}

fn add_poll(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut poll = linker.instance(&wasi("io/poll"))?;
    poll.resource("pollable", ResourceType::host::<Pollable>(), |_, _| Ok(()))?;
    poll.func_wrap("[method]pollable.ready", |_: Store<'_>, (_,): (Resource<Pollable>,)| Ok((true,)))?;
    poll.func_wrap("[method]pollable.block", |_: Store<'_>, (_,): (Resource<Pollable>,)| Ok(()))?;
    poll.func_wrap("poll", |_: Store<'_>, (pollables,): (Vec<Resource<Pollable>>,)| {
        let count = u32::try_from(pollables.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(stop(FailureReason::Trap("it polled nothing".to_owned())));
        }
        Ok(((0..count).collect::<Vec<u32>>(),))
    })
}

fn add_streams(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut streams = linker.instance(&wasi("io/streams"))?;
    streams.resource("input-stream", ResourceType::host::<InputStream>(), |_, _| Ok(()))?;
    streams.resource("output-stream", ResourceType::host::<OutputStream>(), |_, _| Ok(()))?;
    for name in ["read", "blocking-read"] {
        streams
            .func_wrap(&format!("[method]input-stream.{name}"), |_: Store<'_>, (_, _): (Input, u64)| {
                Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
            })?;
    }
    for name in ["skip", "blocking-skip"] {
        streams
            .func_wrap(&format!("[method]input-stream.{name}"), |_: Store<'_>, (_, _): (Input, u64)| {
                Ok((Err::<u64, _>(StreamError::Closed),))
            })?;
    }
    streams.func_wrap("[method]input-stream.subscribe", |_: Store<'_>, (_,): (Input,)| Ok((ready(),)))?;
    streams.func_wrap("[method]output-stream.check-write", |_: Store<'_>, (_,): (Output,)| {
        Ok((Ok::<_, StreamError>(limits::MAX_PLUGIN_WRITE_BYTES),))
    })?;
    for name in ["write", "blocking-write-and-flush"] {
        streams.func_wrap(
            &format!("[method]output-stream.{name}"),
            |mut store: Store<'_>, (stream, bytes): (Output, Vec<u8>)| {
                let limit = limits::MAX_PLUGIN_WRITE_BYTES;
                if bytes.len() as u64 > limit {
                    return Err(stop(FailureReason::Limit {
                        what: "bytes written to a stream at once",
                        limit,
                    }));
                }
                match stream.rep() {
                    STDERR => store.data_mut().complain(&bytes)?,
                    _ => store.data_mut().print(&bytes)?,
                }
                Ok((Ok::<_, StreamError>(()),))
            },
        )?;
    }
    for name in ["flush", "blocking-flush"] {
        streams.func_wrap(&format!("[method]output-stream.{name}"), |_: Store<'_>, (_,): (Output,)| {
            Ok((Ok::<_, StreamError>(()),))
        })?;
    }
    for name in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        streams
            .func_wrap(&format!("[method]output-stream.{name}"), |_: Store<'_>, (_, _): (Output, u64)| {
                Ok((Ok::<_, StreamError>(()),))
            })?;
    }
    for name in ["splice", "blocking-splice"] {
        streams.func_wrap(
            &format!("[method]output-stream.{name}"),
            |_: Store<'_>, (_, _, _): (Output, Input, u64)| Ok((Err::<u64, _>(StreamError::Closed),)),
        )?;
    }
    streams.func_wrap("[method]output-stream.subscribe", |_: Store<'_>, (_,): (Output,)| Ok((ready(),)))
}

/// A pollable of the guest's own.
pub(super) fn ready() -> Resource<Pollable> {
    Resource::new_own(0)
}
