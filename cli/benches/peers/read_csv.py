"""Reads one CSV file with Tidemill and with DuckDB, by turns: seconds from the start of a process to its rows.

    python cli/benches/peers/read_csv.py target/release/tidemill [--rows 3000000]

Needs duckdb (tests/oracle/requirements.txt has the version).
"""

import argparse
import datetime
import pathlib
import subprocess
import sys
import tempfile
import time

QUERY = "SELECT count(*), sum(k), avg(price), max(d), max(ts), count(DISTINCT t) FROM l"
PASSES = 5
DUCKDB = """
import duckdb, sys
connection = duckdb.connect()
connection.execute("SET threads = 2")
connection.execute(f"CREATE VIEW l AS FROM '{sys.argv[1]}'")
print(connection.execute(sys.argv[2]).fetchall())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path, help="tidemill")
    parser.add_argument("--rows", type=int, default=3_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file = pathlib.Path(name) / "tidemill" / "tables" / "l" / "1.csv"
        file.parent.mkdir(parents=True)
        write(file, options.rows)
        print(f"{options.rows} rows, {file.stat().st_size / 1e6:.0f} MB")
        commands = {
            "Tidemill": [options.program, "run", "--local", name, "-e", QUERY],
            "DuckDB": [sys.executable, "-c", DUCKDB, file, QUERY],
        }
        seconds: dict[str, list[float]] = {who: [] for who in commands}
        for _ in range(PASSES):
            for who, command in commands.items():
                since = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                seconds[who].append(time.perf_counter() - since)
        for who, all_seconds in seconds.items():
            print(f"{who:10}", " ".join(f"{s:.2f}" for s in sorted(all_seconds)), "s")


def write(file: pathlib.Path, rows: int) -> None:
    day, moment = datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)
    with file.open("w") as out:
        out.write("id,k,price,d,t,ts\n")
        for n in range(rows):
            date = day + datetime.timedelta(days=n % 1000)
            time_of = moment + datetime.timedelta(seconds=n)
            out.write(f"{n},{n * 7 % 1000},{n % 10000 / 100},{date},text {n % 5000},{time_of}\n")


if __name__ == "__main__":
    main()
