//! Attacks through what every kind can call.

use bridge_telemetry_plugin::bindings::imports::{counters, log};

#[link(wasm_import_module = "wasi:cli/stdin@0.2.0")]
unsafe extern "C" {
    /// A new handle at each call, which nobody gives back.
    #[link_name = "get-stdin"]
    fn get_stdin() -> i32;
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
