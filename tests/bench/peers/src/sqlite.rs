//! SQLite with integer series and a clustered key, as an application would lay it out.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, params};
use telemetry_core::{AdmittedSample, SeriesKey};

use crate::data::{host_name, metric_name};
use crate::{Peer, Question, milliseconds};

pub(crate) struct Sqlite {
    connection: Connection,
    series: HashMap<SeriesKey, i64>,
}

impl Sqlite {
    pub(crate) fn open(directory: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(directory.join("samples.db"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT, host TEXT, context TEXT);
             CREATE TABLE sample (series INTEGER, time INTEGER, value, PRIMARY KEY (series, time)) WITHOUT ROWID;",
        )?;
        Ok(Self { connection, series: HashMap::new() })
    }
}

impl Peer for Sqlite {
    fn append(&mut self, samples: &[AdmittedSample]) -> anyhow::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO sample VALUES (?1, ?2, ?3)")?;
            for sample in samples {
                let key = sample.series();
                let next = self.series.len() as i64 + 1;
                let id = match self.series.get(key) {
                    Some(id) => *id,
                    None => {
                        let host = key.context.label("hostname").unwrap_or_default();
                        transaction.execute(
                            "INSERT INTO series VALUES (?1, ?2, ?3, ?4)",
                            params![next, &*key.name, host, key.context.as_str()],
                        )?;
                        self.series.insert(key.clone(), next);
                        next
                    }
                };
                insert.execute(params![id, milliseconds(sample), sample.value().as_f64()])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); ANALYZE;")?)
    }

    fn ask(&self, question: Question) -> anyhow::Result<Option<usize>> {
        let count = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| -> anyhow::Result<usize> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(parameters)?;
            let mut count = 0;
            while rows.next()?.is_some() {
                count += 1;
            }
            Ok(count)
        };
        Ok(Some(match question {
            Question::One => count(
                "SELECT avg(value) FROM sample WHERE series = (SELECT id FROM series WHERE name = ?1 AND host = ?2)",
                &[&metric_name(1), &host_name(42)],
            )?,
            Question::Each => count("SELECT series, avg(value) FROM sample GROUP BY series", &[])?,
            Question::Hour(from, to) => count(
                "SELECT name, sum(part), sum(n) FROM (SELECT id, name, (SELECT sum(value) FROM sample WHERE series = id AND time BETWEEN ?1 AND ?2) part, (SELECT count(*) FROM sample WHERE series = id AND time BETWEEN ?1 AND ?2) n FROM series) GROUP BY name",
                &[&from, &to],
            )?,
            Question::Buckets => count(
                "SELECT name, host, time / 300000, avg(value) FROM sample JOIN series ON series = id GROUP BY 1, 2, 3",
                &[],
            )?,
        }))
    }
}
