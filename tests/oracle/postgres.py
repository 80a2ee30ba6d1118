"""PostgreSQL: the judge of what SQL means, started in a temporary folder by whoever runs the tests."""

import contextlib
import decimal
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import psycopg

from oracle.answer import Answer, Cell, Refusal, Rows, moment, span
from oracle.duck import Duck

START_SECONDS = 60
STATEMENT_MILLIS = 10_000

_TYPES = {"DOUBLE": "double precision", "FLOAT": "real", "BLOB": "bytea", "TINYINT": "smallint"}

# what types of PostgreSQL are called in its protocol
_BOOL, _BYTES = 16, 17
_EXACT = (20, 21, 23, 26, 1700)
_FLOATS = (700, 701)
_MOMENTS = (1082, 1083, 1114, 1184)
_INTERVAL = 1186


class Postgres:
    def __init__(self, folder: pathlib.Path) -> None:
        self._connection = psycopg.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True)
        for setting in ("timezone = 'UTC'", f"statement_timeout = {STATEMENT_MILLIS}"):
            self._connection.execute(f"SET {setting}")

    def load(self, duck: Duck, table: str) -> None:
        """Makes a table of DuckDB here, too."""
        columns = duck.columns(table)
        types = ", ".join(f'"{name}" {_TYPES.get(type_, type_)}' for name, type_ in columns)
        self._connection.execute(f'CREATE TEMPORARY TABLE "{table}" ({types})')
        with self._connection.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
            for row in duck.texts(table):
                copy.write_row(row)

    def answer(self, sql: str) -> Answer:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql.encode(), prepare=False)
        except psycopg.Error as error:
            return Refusal(str(error).splitlines()[0])
        result = cursor.pgresult
        if result is None or result.nfields == 0:
            return Refusal("the statement has no rows")
        types = [result.ftype(n) for n in range(result.nfields)]
        return Rows(
            [tuple(_cell(result.get_value(r, c), t) for c, t in enumerate(types)) for r in range(result.ntuples)]
        )


def _cell(value: bytes | None, type_: int) -> Cell:
    if value is None:
        return None
    text = value.decode()
    if type_ == _BOOL:
        return text == "t"
    if type_ in _EXACT:
        return decimal.Decimal(text)
    if type_ in _FLOATS:
        return float(text)
    if type_ in _MOMENTS:
        return moment(text)
    if type_ == _INTERVAL:
        return span(text)
    return bytes.fromhex(text[2:]) if type_ == _BYTES else text


@contextlib.contextmanager
def server(folder: pathlib.Path) -> Iterator[Postgres]:
    """A PostgreSQL of our own in a folder, on a socket there and on no port."""
    programs = _programs()
    account = _account()
    folder.mkdir()
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    user, group = (account.pw_uid, account.pw_gid) if account else (None, None)
    groups: list[int] | None = [] if account else None
    data = folder / "data"
    choices = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
    made = subprocess.run(
        [programs / "initdb", "-D", data, *choices],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        user=user,
        group=group,
        extra_groups=groups,
    )
    if made.returncode:
        raise SystemExit(f"initdb failed: {made.stderr}")
    settings = [f"unix_socket_directories={folder}", "listen_addresses=", "fsync=off", "shared_buffers=32MB"]
    arguments = [part for setting in settings for part in ("-c", setting)]
    with open(folder.parent / "postgres.log", "wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, *arguments],
            stdout=log,
            stderr=log,
            cwd=folder,
            user=user,
            group=group,
            extra_groups=groups,
        )
    try:
        yield _connect(folder)
    finally:
        # it does not wait for those who are connected
        process.send_signal(signal.SIGINT)
        process.wait()


def _connect(folder: pathlib.Path) -> Postgres:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return Postgres(folder)
        except psycopg.OperationalError as error:
            if time.monotonic() > end:
                raise SystemExit(f"PostgreSQL did not start: {error}") from error
            time.sleep(0.05)


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL does not run as root."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else None


def _programs() -> pathlib.Path:
    """Debian keeps the programs of each version in a folder of their own."""
    versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    if not found:
        raise SystemExit("initdb was not found: install PostgreSQL")
    return pathlib.Path(found).parent
