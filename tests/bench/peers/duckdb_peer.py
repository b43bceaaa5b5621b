"""DuckDB with the benchmark's samples: integer series, Arrow batches of 1,000. Prints one row of the table of peers."""

import os
import resource
import statistics
import sys
import time

import duckdb
import numpy
import pyarrow

source, target, metrics, start, end = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
columns = numpy.fromfile(source, dtype=[("series", "<i8"), ("time", "<i8"), ("value", "<f8")])
batches = [
    pyarrow.table({name: numpy.ascontiguousarray(part[name]) for name in part.dtype.names})
    for part in (columns[first : first + 1000] for first in range(0, len(columns), 1000))
]


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


connection = duckdb.connect(target)
connection.execute("CREATE TABLE sample (series INTEGER, time BIGINT, value DOUBLE)")
before = cpu()
for batch in batches:
    connection.execute("INSERT INTO sample SELECT * FROM batch")
connection.execute("CHECKPOINT")
ingest = (cpu() - before) / len(columns) * 1e6
size = os.path.getsize(target) / len(columns)

questions = [
    f"SELECT avg(value) FROM sample WHERE series = {42 * metrics + 1}",
    "SELECT series, avg(value) FROM sample GROUP BY series",
    f"SELECT series % {metrics}, avg(value) FROM sample WHERE time BETWEEN {start} AND {end} GROUP BY 1",
    f"SELECT series, time // 300000, avg(value) FROM sample GROUP BY 1, 2",
]


def milliseconds(question):
    took = []
    for _ in range(6):
        begin = time.perf_counter()
        connection.execute(question).to_arrow_table()
        took.append(time.perf_counter() - begin)
    return statistics.median(took[1:]) * 1e3


cells = [f"DuckDB {duckdb.__version__}, integer ids, Arrow batches", f"{ingest:.2f} CPU-s/M", f"{size:.2f} B"]
print("|".join(cells + [f"{milliseconds(question):.2f} ms" for question in questions]))
