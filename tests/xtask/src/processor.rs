//! The processor: what is compiled here is for x86-64-v3 (`.cargo/config.toml`) and would end with an illegal instruction on an
//! older one.

use std::fs;

use crate::failure::Failure;

/// What x86-64-v3 and RocksDB's checksums need beyond what every 64-bit processor has, as Linux calls it.
const NEEDED: [&str; 8] = ["avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "pclmulqdq"];

/// Fails where the processor lacks something. What it has is known on Linux alone.
pub(crate) fn check() -> Result<(), Failure> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(());
    }
    let lacking = fs::read_to_string("/proc/cpuinfo").map(|text| lacking(&text)).unwrap_or_default();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Failure::Missing {
        what: format!("{} in this processor: programs are compiled for x86-64-v3", lacking.join(", ")),
        remedy:
            "in .cargo/config.toml replace `-Ctarget-cpu=x86-64-v3` by `-Ctarget-feature=+sse4.2,+popcnt`; \
                 decoding and sums are slower then"
                .into(),
    })
}

fn lacking(cpuinfo: &str) -> Vec<&'static str> {
    let Some(flags) = cpuinfo.lines().find(|line| line.starts_with("flags")) else { return Vec::new() };
    let has = |name: &str| flags.split_whitespace().any(|flag| flag == name);
    NEEDED.into_iter().filter(|name| !has(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named() {
        let new = format!("processor\t: 0\nflags\t\t: fpu {} sse4_2\nbugs\t\t:\n", NEEDED.join(" "));
        assert!(lacking(&new).is_empty());
        assert_eq!(lacking(&new.replace(" bmi2", "").replace("avx2", "avx")), ["avx2", "bmi2"]);
        assert!(lacking("").is_empty());
    }
}
