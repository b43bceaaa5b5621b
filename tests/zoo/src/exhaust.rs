//! Attacks on time, memory and stack.

use std::cell::RefCell;
use std::hint::black_box;

/// Bytes of a giant string: above what a call may answer in the tests, below the guest's memory.
pub const GIANT: usize = 4 << 20;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Makes the attack, if it is one of these.
pub(crate) fn known(attack: &str) -> bool {
    match attack {
        "loop" => spin(),
        "memory" => loop {
            KEPT.with_borrow_mut(|kept| kept.push(vec![1; 1 << 20]));
        },
        // A host that refuses memory leaves a guest that can cope with it alive.
        "memory-declined" => assert!(Vec::<u8>::new().try_reserve_exact(1 << 30).is_err(), "got a gigabyte"),
        // Kept at every call, and never freed.
        "leak" => KEPT.with_borrow_mut(|kept| kept.push(vec![1; 1 << 20])),
        "stack" => drop(black_box(deeper(1))),
        "stack-arrays" => drop(black_box(deep([1; 4096]))),
        "trap" => panic!("it was all a trap"),
        "exit" => std::process::exit(3),
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
        _ => return false,
    }
    true
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
