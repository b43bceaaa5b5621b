//! The attacks, by name. Unknown names are harmless.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;

use bridge_telemetry_plugin::bindings::imports::patterns::Pattern;
use bridge_telemetry_plugin::bindings::imports::types::{PluginError, TextColumn};
use bridge_telemetry_plugin::bindings::imports::{counters, event_values, log};
use bridge_telemetry_plugin::bindings::validation::exports::bridge::telemetry::validation::{
    EventRewrite, Issue,
};
use bridge_telemetry_zoo as zoo;

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
    exhaust(attack);
    call_host(attack);
    match attack {
        "panic" => panic!("it was all a trap"),
        "log_and_trap" => {
            log::write(log::Level::Error, "these are my last words", "");
            core::arch::wasm32::unreachable()
        }
        "exit" => std::process::exit(3),
        "error" => Err(PluginError::Other("no luck\n".to_owned())),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            Ok((vec![], vec![]))
        }
        // Not hostile at all.
        "values" => {
            let table = event_values::read(&["/a", "/b"].map(str::to_owned))?;
            Ok((
                vec![issue(&format!("{:?} {:?} {:?}", table.kinds, table.numbers, table.texts.ends))],
                vec![],
            ))
        }
        "values_of_no_place" => event_values::read(&["a".to_owned()]).map(|_| (vec![], vec![])),
        "patterns" => Ok((vec![issue(&searched()?)], vec![])),
        "patterns_wrong" => Pattern::compile("a(b").map(|_| (vec![], vec![])),
        "patterns_dropped" => {
            (0..900).try_for_each(|_| Pattern::compile("a").map(drop))?;
            Ok((vec![], vec![]))
        }
        "patterns_kept" => {
            let mut kept = Vec::new();
            loop {
                kept.push(Pattern::compile("a")?);
            }
        }
        order if order.starts_with("schemas ") => Ok((vec![issue(&zoo::schemas::judged(order)?)], vec![])),
        _ => Ok((issues(attack), rewrites(attack))),
    }
}

/// Whether two texts have digits in them, and where three others do.
fn searched() -> Result<String, PluginError> {
    let pattern = Pattern::compile("[0-9]+")?;
    let texts = TextColumn { bytes: "é12 3b".into(), ends: vec![5, 5, 7] };
    let findings = pattern.find(&texts)?;
    let places: Vec<_> = findings.found.iter().map(|found| (found.text, found.start, found.end)).collect();
    Ok(format!("{} {} {places:?} {:?}", pattern.is_match("x")?, pattern.is_match("7")?, findings.given_up))
}

/// Uses up time, memory or stack.
fn exhaust(attack: &str) {
    match attack {
        "loop" => spin(),
        "memory" => loop {
            KEPT.with_borrow_mut(|kept| kept.push(vec![1; 1 << 20]));
        },
        // Below the limit, and never freed: the instance is worn out.
        "hoard" => KEPT.with_borrow_mut(|kept| kept.push(vec![1; 40 << 20])),
        // A host that refuses memory leaves a guest that can cope with it alive.
        "ask_for_memory" => assert!(Vec::<u8>::new().try_reserve_exact(1 << 30).is_err(), "got a gigabyte"),
        "shadow_stack" => drop(black_box(deep([1; 4096]))),
        "stack" => drop(black_box(deeper(1))),
        _ => {}
    }
}

/// Calls what the host offers, more than it likes.
fn call_host(attack: &str) {
    match attack {
        "log_flood" => {
            for n in 0..100_000 {
                log::write(log::Level::Error, &format!("line {n}\n\u{1b}[31mred"), "");
            }
        }
        "endless_log" => loop {
            log::write(log::Level::Error, &"x".repeat(1 << 16), "{}");
        },
        "print" => {
            println!("to standard output");
            eprintln!("to standard error");
            log::write(log::Level::Info, "to the log", "{\"a\":1}");
        }
        // Not hostile at all: a word about each row.
        "chatty" => {
            log::write(log::Level::Debug, "saw a row", "{\"a\":1}");
            println!("saw a row");
            counters::add("rows", 1);
            counters::set("last", 1.0);
        }
        "counter_flood" => {
            for n in 0..10_000 {
                counters::add(&format!("counter_{n}"), 1);
            }
            counters::set("gauge", f64::NAN);
        }
        _ => {}
    }
}

fn issues(attack: &str) -> Vec<Issue> {
    let many = |count: u32| (0..count).map(|_| issue("")).collect();
    match attack {
        "giant_message" => vec![issue(&"x".repeat(20 << 20))],
        "giant_list" => many(250_000),
        "many_issues" => many(10_000),
        "row" => vec![Issue { row: 1_000_000, ..issue("") }],
        // SAFETY: it is not; the host has to find out.
        "no_utf8" => vec![Issue { code: unsafe { String::from_utf8_unchecked(vec![0xFF; 8]) }, ..issue("") }],
        "escape_codes" => vec![issue("\u{1b}[2Jnew\nline")],
        "surroundings" => vec![issue(&surroundings())],
        "warn" => vec![Issue { reject: false, ..issue("be careful") }],
        _ => vec![],
    }
}

fn rewrites(attack: &str) -> Vec<EventRewrite> {
    match attack {
        "rewrite" => vec![rewrite(0, "{\"rewritten\": true}")],
        "rewrite_giant" => vec![rewrite(0, &format!("{{\"a\":\"{}\"}}", "x".repeat(4 << 20)))],
        "rewrite_row" => vec![rewrite(77, "{}")],
        "rewrite_twice" => vec![rewrite(0, "{}"), rewrite(0, "{}")],
        "broken_json" => vec![rewrite(0, "{\"a\":")],
        "no_object" => vec![rewrite(0, "[1]")],
        "deep_json" => vec![rewrite(0, &format!("{{\"a\":{}", "[".repeat(100_000)))],
        _ => vec![],
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

fn issue(message: &str) -> Issue {
    Issue {
        row: 0,
        reject: true,
        code: "evil".to_owned(),
        path: "/data".to_owned(),
        message: message.to_owned(),
    }
}

fn rewrite(row: u32, data: &str) -> EventRewrite {
    EventRewrite { row, data_json: Some(data.to_owned()), extra_json: None }
}
