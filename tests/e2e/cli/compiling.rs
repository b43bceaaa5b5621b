//! The program as the compiler of its own plugins: it is started so by itself, and by nobody else.

use std::io::Write;
use std::process::{Output, Stdio};

use bridge_telemetry_tests::{guest, plugin};
use serde_json::{Value, json};

use super::place::Place;

fn compile(order: &[u8], component: &[u8]) -> Output {
    let place = Place::new();
    let mut command = place.bare(&["compile-component-for-parent"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that refuses the order does not read on.
    let _ = stdin.write_all(order).and_then(|()| stdin.write_all(component));
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn order(component: &[u8], cpu_seconds: u64) -> Vec<u8> {
    let order = json!({
        "execution": "fast", "cpu_seconds": cpu_seconds, "memory_bytes": 4_u64 << 30,
        "component_bytes": component.len(),
    });
    format!("{order}\n").into_bytes()
}

#[test]
fn it_reads_a_component_and_writes_its_code() {
    let component = std::fs::read(guest("tally").unwrap()).unwrap();
    let output = compile(&order(&component, 100), &component);
    assert!(output.status.success(), "{output:?}");
    let end = output.stdout.iter().position(|byte| *byte == b'\n').unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout[..end]).unwrap();
    assert_eq!(answer["compiled"]["checksum"].as_str().unwrap().len(), 32, "{answer}");
    assert_eq!(&output.stdout[end + 1..end + 5], b"\x7fELF");
}

#[test]
fn what_it_cannot_compile_is_answered_and_what_is_no_order_is_refused() {
    let broken = b"\0asm\x0d\0\x01\0\xff";
    let output = compile(&order(broken, 100), broken);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.starts_with(br#"{"refused":""#), "{output:?}");
    for nonsense in [&b""[..], b"hello\n", b"{}\n", &[b'x'; 100_000]] {
        let output = compile(nonsense, b"");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    }
    let output = compile(&order(&[0; 100], 100), b"too short");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// It limits itself before it reads what nobody checked: one second of the processor is not enough for a large plugin.
#[test]
fn it_ends_at_its_limit() {
    use std::os::unix::process::ExitStatusExt;
    let component = std::fs::read(plugin("json-schema").unwrap()).unwrap();
    let output = compile(&order(&component, 1), &component);
    // A processor that does it within the second is welcome.
    assert!(output.status.signal() == Some(24) || output.status.success(), "{:?}", output.status);
}
