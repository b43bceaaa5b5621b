//! `store stats`.

use bytesize::ByteSize;
use serde_json::Value;

use crate::arguments::Shared;
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, line, table, text};

/// The shares of the memory, in the order in which they are shown.
const SHARES: [(&str, &str); 5] = [
    ("heads", "heads"),
    ("index", "index"),
    ("write buffers", "write_buffers"),
    ("block cache", "block_cache"),
    ("chunk cache", "chunk_cache"),
];

pub(super) fn execute(quick: bool, shared: &Shared) -> Result<Exit, Failure> {
    let envelope = Connection::open(shared)?.store_stats(quick)?;
    Ok(output::answer(&envelope, shared.json, |body| {
        partitions(body);
        line("");
        families(body);
        line("");
        memory(body);
        line("");
        summary(body);
    }))
}

fn rows<'a>(body: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    body.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Bytes as people read them; `-` where there is no number.
fn size(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_u64).map_or("-".to_owned(), |bytes| ByteSize(bytes).to_string())
}

fn partitions(body: &Value) {
    let header =
        ["PARTITION", "UNTIL", "FORM", "RECORDS", "SERIES", "CHUNKS", "ROLLUPS", "SIZE", "INDEX", "ROLLUPS"];
    let shown = rows(body, "/partitions").map(|row| {
        let form = if row["final_form"] == true { "final" } else { "open" };
        [
            text(row, "/family"),
            text(row, "/end"),
            form.to_owned(),
            text(row, "/records"),
            text(row, "/series"),
            text(row, "/chunks"),
            text(row, "/rollup_rows"),
            size(row, "/bytes"),
            size(row, "/index_bytes"),
            size(row, "/rollup_bytes"),
        ]
    });
    table(header, shown);
}

fn families(body: &Value) {
    let shown = rows(body, "/families").map(|row| {
        let levels = rows(row, "/levels").map(|level| {
            format!("L{} {} ({})", text(level, "/level"), text(level, "/tables"), size(level, "/bytes"))
        });
        let levels: Vec<String> = levels.collect();
        [
            text(row, "/family"),
            size(row, "/table_bytes"),
            size(row, "/buffer_bytes"),
            text(row, "/entries"),
            levels.join(", "),
        ]
    });
    table(["FAMILY", "TABLES", "BUFFER", "ENTRIES", "LEVELS"], shown);
}

fn memory(body: &Value) {
    let shown = SHARES.map(|(name, key)| {
        let at = |field: &str| size(body, &format!("/store/memory/{key}/{field}"));
        [name.to_owned(), at("used_bytes"), at("limit_bytes")]
    });
    let whole =
        ["all".to_owned(), size(body, "/store/memory/used_bytes"), size(body, "/store/memory/budget_bytes")];
    table(["MEMORY", "USED", "LIMIT"], shown.into_iter().chain([whole]));
}

fn summary(body: &Value) {
    let limit = |key: &str| text(body, &format!("/limits/{key}"));
    let state = |key: &str| text(body, &format!("/store/{key}"));
    let number =
        |key: &str| body.pointer(&format!("/store/{key}")).and_then(Value::as_u64).unwrap_or_default();
    let behind = |key: &str| number("last_sequence").saturating_sub(number(key)).to_string();
    let pairs = [
        ("records", state("last_sequence")),
        ("of them not in chunks", behind("sealed_sequence")),
        ("of them not synced", behind("synced_sequence")),
        ("log begins after", state("trimmed_sequence")),
        ("log", format!("{} of {}", size(body, "/store/log_bytes"), size(body, "/limits/max_log_bytes"))),
        ("on disk", format!("{} of {}", size(body, "/store/usage_bytes"), size(body, "/store/limit_bytes"))),
        ("size limit", size(body, "/limits/max_bytes")),
        (
            "active series",
            format!(
                "{} of {}, {} of one metric",
                state("active_series"),
                limit("max_series"),
                limit("max_series_per_metric")
            ),
        ),
        ("samples beyond the limits of series", state("overflowed_samples")),
    ];
    let readers = body.get("readers").and_then(Value::as_object).into_iter().flatten();
    let readers = readers
        .map(|(name, behind)| [output::one_line(&format!("monitor {name}, not read")), behind.to_string()]);
    table(["", ""], pairs.map(|(name, value)| [name.to_owned(), value]).into_iter().chain(readers));
}
