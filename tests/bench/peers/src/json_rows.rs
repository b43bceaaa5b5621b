//! One JSON value per sample in RocksDB: the layout that needs no engine.

use std::path::Path;

use rocksdb::{DB, WriteBatch};
use serde_json::json;
use telemetry_core::AdmittedSample;

use crate::{Peer, Question, milliseconds};

pub(crate) struct JsonRows {
    database: DB,
    next: u64,
}

impl JsonRows {
    pub(crate) fn open(directory: &Path) -> anyhow::Result<Self> {
        Ok(Self { database: DB::open_default(directory)?, next: 0 })
    }
}

impl Peer for JsonRows {
    fn append(&mut self, samples: &[AdmittedSample]) -> anyhow::Result<()> {
        let mut batch = WriteBatch::default();
        for sample in samples {
            self.next += 1;
            let key = [milliseconds(sample).to_be_bytes(), self.next.to_be_bytes()].concat();
            let row = json!({
                "metric_name": &*sample.series().name,
                "metric_value": sample.value(),
                "context": &sample.series().context,
                "timestamp": sample.timestamp(),
            });
            batch.put(key, serde_json::to_vec(&row)?);
        }
        Ok(self.database.write(batch)?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.database.flush()?;
        self.database.compact_range(None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }

    /// Every question would read and parse every row.
    fn ask(&self, _question: Question) -> anyhow::Result<Option<usize>> {
        Ok(None)
    }
}
