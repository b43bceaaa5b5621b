//! Attacks through what every kind can call.

use bridge_telemetry_plugin::bindings::imports::{counters, log};

#[link(wasm_import_module = "wasi:cli/stdin@0.2.0")]
unsafe extern "C" {
    /// A new handle at each call, which nobody gives back.
    #[link_name = "get-stdin"]
    fn get_stdin() -> i32;
}

#[link(wasm_import_module = "wasi:cli/stdout@0.2.0")]
unsafe extern "C" {
    #[link_name = "get-stdout"]
    fn get_stdout() -> i32;
}

#[link(wasm_import_module = "wasi:random/random@0.2.0")]
unsafe extern "C" {
    #[link_name = "get-random-u64"]
    fn get_random_u64() -> i64;
}

#[link(wasm_import_module = "wasi:io/streams@0.2.0")]
unsafe extern "C" {
    /// The answer is three words at `answer`.
    #[link_name = "[method]output-stream.write"]
    fn write(stream: i32, bytes: *const u8, length: usize, answer: *mut [u32; 3]);
}

/// Makes the attack, if it is one of these.
pub(crate) fn known(attack: &str) -> bool {
    match attack {
        "loop-in-host" | "log.write*" => loop {
            log::write(log::Level::Error, "again", "{}");
        },
        "log.write-giant" => loop {
            log::write(log::Level::Error, &"x".repeat(1 << 19), &"y".repeat(1 << 18));
        },
        "counters.add*" => loop {
            counters::add("again", u64::MAX);
        },
        "counters.set*" => loop {
            counters::set("again", 1.0);
        },
        "counters.add-giant" => loop {
            counters::add(&"x".repeat(1 << 19), 1);
        },
        "counters.set-giant" => loop {
            counters::set(&"x".repeat(1 << 19), 1.0);
        },
        "print*" => loop {
            println!("{}", "x".repeat(100));
        },
        "print-lines" => print(&b"x\n".repeat(30_000)),
        "print-giant" => print(&b"x\n".repeat(1 << 18)),
        "clock*" => loop {
            std::hint::black_box(std::time::Instant::now());
        },
        "random*" => loop {
            // SAFETY: it takes nothing, and what it gives is only a number.
            unsafe { get_random_u64() };
        },
        "sleep*" => loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        },
        "log-flood" => {
            for n in 0..10_000 {
                log::write(log::Level::Error, &format!("line {n}\n\u{1b}[31mred"), "");
            }
        }
        "counter-flood" => {
            for n in 0..2_000 {
                counters::add(&format!("counter_{n}"), 1);
            }
            counters::set("gauge", f64::NAN);
            counters::add(&"x".repeat(10_000), 1);
        }
        "handles" => loop {
            // SAFETY: it takes nothing, and what it gives is only a number.
            unsafe { get_stdin() };
        },
        _ => return false,
    }
    true
}

/// Writes to standard output at once, whatever the host says that it takes.
fn print(text: &[u8]) {
    let mut answer = [0; 3];
    // SAFETY: the text lies where it is said to lie, and there is room for the answer.
    unsafe { write(get_stdout(), text.as_ptr(), text.len(), &raw mut answer) };
}
