//! Compiling in a process of its own: the same code, and every limit of it kept.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use telemetry_sandbox::{
    CompileLimit, CompileLimits, Compiler, CompilerProgram, Component, Execution, LoadError, Plugin,
    PluginSpec, SandboxOptions,
};

use crate::fixture::{Fixture, events, spec};
use crate::zoo::shapes::with_module;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bridge-telemetry-compiler");

fn program() -> CompilerProgram {
    CompilerProgram::new(PROGRAM)
}

fn with(program: CompilerProgram) -> Fixture {
    Fixture::with(SandboxOptions { compiler: Compiler::Process(program), ..SandboxOptions::default() })
}

fn load(program: CompilerProgram, component: Vec<u8>) -> Result<Plugin, LoadError> {
    with(program).sandbox.load(PluginSpec::new("p", Component::Bytes(component)))
}

fn limited(limits: CompileLimits) -> CompilerProgram {
    program().with_limits(limits)
}

#[test]
fn a_plugin_compiled_elsewhere_works_and_is_kept() {
    let cache = tempfile::tempdir().unwrap();
    for execution in [Execution::Fast, Execution::Repeatable] {
        for compiled in [false, true] {
            let fixture = Fixture::with(SandboxOptions {
                compiler: Compiler::Process(program()),
                cache_directory: Some(cache.path().join("c")),
                execution,
                ..SandboxOptions::default()
            });
            let sandbox = &fixture.sandbox;
            assert_eq!(sandbox.outline(&crate::fixture::guest("evil")).unwrap().is_compiled, compiled);
            let plugin = sandbox.load(spec("evil")).unwrap();
            plugin.validator().unwrap().validate_events(&events(&["harmless"])).unwrap();
        }
    }
}

#[test]
fn several_at_once() {
    let fixture = Arc::new(with(program()));
    std::thread::scope(|threads| {
        for name in ["evil", "evil-sink", "evil-monitor", "evil-aggregation"] {
            let fixture = Arc::clone(&fixture);
            threads.spawn(move || fixture.sandbox.load(spec(name)).unwrap());
        }
    });
}

#[test]
fn what_the_compiler_refuses_is_refused_in_its_words() {
    let bytes = with_module("(module (func (result i32) (i32.const 1)))", 1);
    let place = bytes.windows(4).rposition(|window| window == [0x00, 0x41, 0x01, 0x0B]).unwrap();
    let mut broken = bytes;
    // i64.const in place of i32.const.
    broken[place + 1] = 0x42;
    let elsewhere = load(program(), broken.clone()).unwrap_err();
    let here = Fixture::new().sandbox.load(PluginSpec::new("p", Component::Bytes(broken))).unwrap_err();
    assert!(matches!(elsewhere, LoadError::Compile { .. }), "{elsewhere}");
    assert_eq!(elsewhere.to_string(), here.to_string());
}

/// Functions at the edge of what is compiled at all: many branches, each of which all variables live through.
fn bomb(functions: usize) -> Vec<u8> {
    let mut body = "(local".to_owned() + &" i64".repeat(250) + ")";
    for n in 0..20_000 {
        let (to, from) = (n % 250, (n * 7 + 1) % 250);
        write!(body, "(if (i64.eqz (local.get {from})) (then (local.set {to} (i64.add (local.get {to}) (local.get {from})))))").unwrap();
    }
    with_module(&format!("(module {})", format!("(func {body})").repeat(functions)), 1)
}

#[test]
fn a_compile_bomb_is_ended_by_its_processor_time() {
    let limits = CompileLimits { cpu: Duration::from_secs(1), ..CompileLimits::default() };
    let error = load(limited(limits), bomb(20)).unwrap_err();
    let LoadError::CompileLimit(limit) = &error else { panic!("{error}") };
    assert_eq!(*limit, CompileLimit::Cpu(Duration::from_secs(1)), "{error}");
}

#[test]
fn a_compile_bomb_is_ended_by_its_memory() {
    let limits = CompileLimits { memory_bytes: 64 << 20, ..CompileLimits::default() };
    let error = load(limited(limits), bomb(4)).unwrap_err();
    let LoadError::CompileLimit(limit) = &error else { panic!("{error}") };
    assert_eq!(*limit, CompileLimit::Memory(64 << 20), "{error}");
}

#[test]
fn a_compile_bomb_is_ended_by_the_clock() {
    let limits = CompileLimits { deadline: Duration::from_millis(50), ..CompileLimits::default() };
    let error = load(limited(limits), bomb(20)).unwrap_err();
    assert!(matches!(error, LoadError::CompileLimit(CompileLimit::Deadline(_))), "{error}");
}

#[test]
fn too_much_code_is_not_taken() {
    let limits = CompileLimits { code_bytes: 1_000, ..CompileLimits::default() };
    let error = load(limited(limits), bomb(1)).unwrap_err();
    assert!(matches!(error, LoadError::CompileLimit(CompileLimit::Code(1_000))), "{error}");
}

/// In this process nothing ends the compiler, so that what it is given must be small enough.
#[test]
fn what_would_take_the_compiler_too_long_is_refused_before() {
    let locals = "(local".to_owned() + &" i64".repeat(40_000) + ")";
    let body = "(if (local.get 0) (then (local.set 1 (i64.const 1))))".repeat(20_000);
    let bytes = with_module(&format!("(module (func (param i32) {locals} {body}))"), 1);
    let error = Fixture::new().sandbox.load(PluginSpec::new("p", Component::Bytes(bytes))).unwrap_err();
    assert!(
        matches!(error, LoadError::TooLarge { what: "bytes times local variables in one function", .. }),
        "{error}"
    );
}

#[test]
fn a_program_that_is_no_compiler_is_refused() {
    let evil = std::fs::read(crate::fixture::guest("evil")).unwrap();
    let quick = CompileLimits { deadline: Duration::from_millis(200), ..CompileLimits::default() };
    for (path, arguments, limits) in [
        ("/nowhere/compiler", &[][..], CompileLimits::default()),
        ("/bin/true", &[], CompileLimits::default()),
        ("/bin/false", &[], CompileLimits::default()),
        ("/bin/cat", &[], CompileLimits::default()),
        ("/bin/sh", &["-c", "yes"], CompileLimits::default()),
        ("/bin/sh", &["-c", r#"echo '{"compiled":{"checksum":"0"}}'"#], CompileLimits::default()),
        ("/bin/sh", &["-c", "echo broken >&2; exit 7"], CompileLimits::default()),
    ] {
        let program = CompilerProgram::new(path).with_limits(limits);
        let program = arguments.iter().fold(program, |program, argument| program.with_argument(*argument));
        let error = load(program, evil.clone()).unwrap_err();
        assert!(matches!(error, LoadError::CompilerProcess { .. }), "{path} {arguments:?}: {error}");
    }
    let sleeper = CompilerProgram::new("/bin/sleep").with_argument("1000").with_limits(quick);
    let error = load(sleeper, evil).unwrap_err();
    assert!(matches!(error, LoadError::CompileLimit(CompileLimit::Deadline(_))), "{error}");
}
