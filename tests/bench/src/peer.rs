//! The alternative without an engine: one JSON value per record in bare RocksDB.

use rocksdb::{DB, IteratorMode, WriteBatch};

/// One row per record, its key the time and a counter.
pub(crate) struct JsonRows {
    database: DB,
    next: u64,
}

impl JsonRows {
    pub(crate) fn open(directory: &std::path::Path) -> anyhow::Result<Self> {
        Ok(Self { database: DB::open_default(directory)?, next: 0 })
    }

    fn key(&mut self, time: i64) -> [u8; 16] {
        self.next += 1;
        (u128::from(time.unsigned_abs()) << 64 | u128::from(self.next)).to_be_bytes()
    }

    pub(crate) fn put(&mut self, time: i64, row: &serde_json::Value) -> anyhow::Result<()> {
        let key = self.key(time);
        Ok(self.database.put(key, serde_json::to_vec(row)?)?)
    }

    pub(crate) fn put_all(&mut self, time: i64, rows: &[serde_json::Value]) -> anyhow::Result<()> {
        let mut batch = WriteBatch::default();
        for row in rows {
            let key = self.key(time);
            batch.put(key, serde_json::to_vec(row)?);
        }
        Ok(self.database.write(batch)?)
    }

    /// The mean of `data.metric_value` over all rows.
    pub(crate) fn mean(&self) -> anyhow::Result<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for row in self.database.iterator(IteratorMode::Start) {
            let value: serde_json::Value = serde_json::from_slice(&row?.1)?;
            sum += value.pointer("/data/metric_value").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
            count += 1.0;
        }
        Ok(sum / count)
    }
}
