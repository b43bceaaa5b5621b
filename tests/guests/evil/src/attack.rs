//! The attacks, by name. Unknown names are harmless.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;

use bridge_telemetry_plugin::bindings::imports::types::PluginError;
use bridge_telemetry_plugin::bindings::imports::{counters, log};
use bridge_telemetry_plugin::bindings::validation::exports::bridge::telemetry::validation::{
    EventRewrite, Issue,
};

thread_local! {
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

type Answer = (Vec<Issue>, Vec<EventRewrite>);

pub(crate) fn remember(config: &str) {
    CONFIG.set(config.to_owned());
}

pub(crate) fn remembered() -> String {
    CONFIG.with_borrow(Clone::clone)
}

pub(crate) fn run(attack: &str) -> Result<Answer, PluginError> {
    let clean = (vec![], vec![]);
    match attack {
        "loop" => spin(),
        "panic" => panic!("it was all a trap"),
        "memory" => loop {
            KEPT.with_borrow_mut(|kept| kept.push(vec![1; 1 << 20]));
        },
        // Below the limit, and never freed: the instance is worn out.
        "hoard" => {
            KEPT.with_borrow_mut(|kept| kept.push(vec![1; 40 << 20]));
            Ok(clean)
        }
        // A host that refuses memory leaves a guest that can cope with it alive.
        "ask_for_memory" => {
            let refused = Vec::<u8>::new().try_reserve_exact(1 << 30).is_err();
            if refused { Ok(clean) } else { Err(PluginError::Other("got a gigabyte".to_owned())) }
        }
        "shadow_stack" => Ok((vec![issue(&[deep([1; 4096])])], vec![])),
        "stack" => Ok((vec![issue(&[deeper(1) as u8])], vec![])),
        "giant_message" => Ok((vec![Issue { message: "x".repeat(32 << 20), ..issue(b"") }], vec![])),
        "giant_list" => Ok(((0..250_000).map(|_| issue(b"")).collect(), vec![])),
        "many_issues" => Ok(((0..10_000).map(|_| issue(b"")).collect(), vec![])),
        "row" => Ok((vec![Issue { row: 1_000_000, ..issue(b"") }], vec![])),
        "rewrite_row" => Ok((vec![], vec![rewrite(77, "{}")])),
        "rewrite_twice" => Ok((vec![], vec![rewrite(0, "{}"), rewrite(0, "{}")])),
        "broken_json" => Ok((vec![], vec![rewrite(0, "{\"a\":")])),
        "no_object" => Ok((vec![], vec![rewrite(0, "[1]")])),
        "deep_json" => Ok((vec![], vec![rewrite(0, &format!("{{\"a\":{}", "[".repeat(100_000)))])),
        // SAFETY: it is not; the host has to find out.
        "no_utf8" => Ok((
            vec![Issue { code: unsafe { String::from_utf8_unchecked(vec![0xFF; 8]) }, ..issue(b"") }],
            vec![],
        )),
        "escape_codes" => {
            Ok((vec![Issue { message: "\u{1b}[2Jnew\nline".to_owned(), ..issue(b"") }], vec![]))
        }
        "log_flood" => {
            for n in 0..100_000 {
                log::write(log::Level::Error, &format!("line {n}\n\u{1b}[31mred"), "");
            }
            Ok(clean)
        }
        "endless_log" => loop {
            log::write(log::Level::Error, &"x".repeat(1 << 16), "{}");
        },
        "print" => {
            println!("to standard output");
            eprintln!("to standard error");
            log::write(log::Level::Info, "to the log", "{\"a\":1}");
            Ok(clean)
        }
        "counter_flood" => {
            for n in 0..10_000 {
                counters::add(&format!("counter_{n}"), 1);
            }
            counters::set("gauge", f64::NAN);
            Ok(clean)
        }
        "exit" => std::process::exit(3),
        "error" => Err(PluginError::Other("no luck\n".to_owned())),
        "surroundings" => Ok((vec![Issue { message: surroundings(), ..issue(b"") }], vec![])),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            Ok(clean)
        }
        "warn" => Ok((vec![Issue { reject: false, ..issue(b"be careful") }], vec![])),
        "rewrite" => Ok((vec![], vec![rewrite(0, "{\"rewritten\": true}")])),
        _ => Ok(clean),
    }
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// Recursion with arrays: the stack in linear memory ends first.
#[allow(unconditional_recursion, reason = "the attack")]
fn deep(array: [u8; 4096]) -> u8 {
    let mut next = black_box(array);
    next[1] = next[1].wrapping_add(1);
    deep(next).wrapping_add(next[2])
}

/// Recursion with scalars: the native stack ends first.
#[allow(unconditional_recursion, reason = "the attack")]
fn deeper(n: u64) -> u64 {
    deeper(black_box(n + 1)).wrapping_mul(31).wrapping_add(n)
}

/// What a plugin can see of the world around it.
fn surroundings() -> String {
    let seeded: HashMap<u8, u8> = [(1, 2)].into();
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!(
        "variables {}, arguments {}, input {:?}, map {}, seconds {now}",
        std::env::vars().count(),
        std::env::args().count(),
        std::io::stdin().lines().next().is_none(),
        seeded.len(),
    )
}

fn issue(message: &[u8]) -> Issue {
    Issue {
        row: 0,
        reject: true,
        code: "evil".to_owned(),
        path: "/data".to_owned(),
        message: String::from_utf8_lossy(message).into_owned(),
    }
}

fn rewrite(row: u32, data: &str) -> EventRewrite {
    EventRewrite { row, data_json: Some(data.to_owned()), extra_json: None }
}
