"""The rows of a run, from the files that it has written: one at a time, while the next one comes."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tidemill._frame import Head
from tidemill._libraries import import_polars, import_pyarrow, import_pyarrow_parquet
from tidemill._session import Session
from tidemill._statement import asked

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

#: of a batch, at most
BATCH_ROWS = 64 * 1024

Source: TypeAlias = Path | bytes


class Files:
    """Parquet, with the same columns in each."""

    def __init__(self, session: Session, files: Sequence[Head]) -> None:
        self._session = session
        self._files = files

    def reader(self) -> "pa.RecordBatchReader":
        """A reader of Arrow over all rows."""
        files = self._opened()
        first = next(files)
        batches = chain(_batches(first), chain.from_iterable(map(_batches, files)))
        return import_pyarrow().RecordBatchReader.from_batches(first.schema_arrow, batches)

    def batches(self) -> Iterator["pa.RecordBatch"]:
        # nothing is held of a file that has been read
        return chain.from_iterable(map(_batches, self._opened()))

    def schema(self) -> "pa.Schema":
        return next(Files(self._session, self._files[:1])._opened()).schema_arrow

    def polars(self) -> "pl.DataFrame":
        library = import_polars()
        frames = [
            library.read_parquet(BytesIO(source) if isinstance(source, bytes) else source) for source in self._sources()
        ]
        whole: pl.DataFrame = library.concat(frames)
        return whole

    def _opened(self) -> Iterator["pq.ParquetFile"]:
        return map(_opened, self._sources())

    def _sources(self) -> Iterator[Source]:
        coming: deque[Callable[[], Source]] = deque()
        for file in self._files:
            coming.append(self._asked(file))
            if len(coming) > 1:
                yield coming.popleft()()
        while coming:
            yield coming.popleft()()

    def _asked(self, file: Head) -> Callable[[], Source]:
        path = file.get("path")
        if path is not None and Path(path).exists():
            return lambda: Path(path)
        promise = asked(self._session.ask, {"do": "read", "key": file["key"]})
        return lambda: promise.result()[0]


def _opened(source: Source) -> "pq.ParquetFile":
    parquet = import_pyarrow_parquet()
    if isinstance(source, bytes):
        return parquet.ParquetFile(import_pyarrow().BufferReader(source))
    return parquet.ParquetFile(source, memory_map=True)


def _batches(file: "pq.ParquetFile") -> Iterator["pa.RecordBatch"]:
    # some versions cannot read what has none
    return iter(file.iter_batches(BATCH_ROWS) if file.num_row_groups else ())
