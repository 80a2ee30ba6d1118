"""Functions of Python in SQL: one that lies in the bucket, and three of this program.

A file `functions/<name>.py` in the bucket is a function that any statement calls, from wherever it is sent. What
`tm.udf`, `tm.udaf` or `tm.udtf` decorates goes along with the statements of this program that call it: a function of
columns, one of groups and one that gives rows. What they come to is compared with what pandas says.

    python functions.py
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import tidemill as tm

CHARGED = Path(__file__).parent / "functions" / "charged.py"
TOWNS = ["Århus", "Aarhus", "Malmö", "malmo", "Tromsø"]
NOTES = ["with milk, no sugar", "oat milk", "Extra hot!", None]


@tm.udf(returns="text")
def spelled(town: pd.Series) -> pd.Series:
    """A town in one way of writing, for as many rows as come at once."""
    plain = town.str.lower().str.replace("å", "aa").str.replace("ø", "o").str.replace("ö", "o")
    return plain.str.title()


@tm.udaf(returns="double")
def typical(price: pd.Series) -> float:
    """The mean without the tenth that is furthest out on each side."""
    low, high = price.quantile([0.1, 0.9])
    return price[price.between(low, high)].mean()


@tm.udtf(returns="word text, place bigint")
def words(note: str) -> Iterator[tuple[str, int]]:
    """A row for each word."""
    for place, word in enumerate(re.findall(r"\w+", note.lower())):
        yield word, place


def make_orders(count: int) -> pd.DataFrame:
    random = np.random.default_rng(17)
    return pd.DataFrame(
        {
            "town": random.choice(TOWNS, count),
            "price": random.gamma(4, 1, count).round(2),
            "pieces": random.integers(1, 20, count),
            "note": random.choice(np.array(NOTES, dtype=object), count),
        }
    )


def put_charged() -> None:
    """As `aws s3 cp functions/charged.py s3://my-bucket/functions/` does; on this machine the bucket is a folder."""
    folder = Path(os.environ.setdefault("TIDEMILL_FOLDER", tempfile.mkdtemp())) / "tidemill" / "functions"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CHARGED, folder)


def main() -> None:
    put_charged()
    orders = make_orders(20_000)
    tm.write(orders, "orders", mode="overwrite")

    ((total,),) = tm.sql("SELECT sum(charged(price, pieces)) FROM orders").fetchall()
    print(f"charged in all: {total:,.2f}")

    towns = tm.sql(
        "SELECT spelled(town) AS name, count(*) AS orders, typical(price) AS price "
        "FROM orders GROUP BY spelled(town) ORDER BY name"
    ).to_pandas()
    for town in towns.itertuples():
        print(f"{town.name}: {town.orders} orders, typically at {town.price:.2f}")

    said = tm.sql(
        "SELECT word, count(*) AS n FROM orders, words(note) WHERE place > 0 GROUP BY word ORDER BY n DESC, word"
    ).fetchall()
    print(f"after the first word: {', '.join(f'{word} {n}' for word, n in said)}")

    reduced = orders.pieces.ge(10).map({True: 0.9, False: 1.0})
    by_town = orders.groupby(spelled(orders.town)).price
    later = orders.note.dropna().map(lambda note: [word for word, _ in words(note)][1:]).explode()
    is_same = (
        np.isclose(total, (orders.price * orders.pieces * reduced).sum())
        and towns.orders.tolist() == by_town.count().tolist()
        and np.allclose(towns.price, by_town.agg(typical))
        and dict(said) == later.value_counts().to_dict()
    )
    print(f"all are what pandas says: {is_same}")


if __name__ == "__main__":
    main()
