"""Tables from Python: calls make a table, SQL reads it beside a data frame, and each group gets a model of its own.

Each call simulates a weather station and returns a data frame; together they become the table `readings`, all of
them once. SQL joins it with a data frame of this process. Then a function fits a line to the readings of each
station, wherever they lie, and the slopes that were put in are found again.

    python tables.py
"""

import numpy as np
import pandas as pd
import tidemill as tm

DAYS = 2_000
STATIONS = pd.DataFrame({"station": range(6), "name": ["Arlberg", "Brocken", "Cuxhaven", "Davos", "Essen", "Föhr"]})
SLOPES = {station: 0.5 + 0.1 * station for station in STATIONS.station}  # degrees in 1,000 days


def simulate(station: int) -> pd.DataFrame:
    """The readings of one station."""
    random = np.random.default_rng(station)
    day = np.arange(DAYS)
    season = 10 * np.sin(2 * np.pi * day / 365.25)
    noise = random.normal(0, 0.1, DAYS)
    return pd.DataFrame({"station": station, "day": day, "degrees": 8 + season + SLOPES[station] * day / 1000 + noise})


def fit(key: tuple[int], readings: pd.DataFrame) -> pd.DataFrame:
    """The slope of one station, beside its seasons."""
    turn = 2 * np.pi * readings.day / 365.25
    terms = np.column_stack([np.ones(len(readings)), readings.day / 1000, np.sin(turn), np.cos(turn)])
    solution, *_ = np.linalg.lstsq(terms, readings.degrees, rcond=None)
    return pd.DataFrame({"station": [key[0]], "slope": [solution[1]]})


def main() -> None:
    list(tm.map(simulate, STATIONS.station.tolist(), into="readings"))

    coldest = tm.sql(
        "SELECT name, count(*) AS readings, round(min(degrees), 1) AS coldest "
        "FROM readings JOIN stations USING (station) WHERE day < $days GROUP BY name ORDER BY name LIMIT 3",
        {"days": 365},
        stations=STATIONS,
    )
    for name, readings, degrees in coldest.fetchall():
        print(f"{name}: {readings} readings, {degrees} at the coldest")

    fitted = tm.sql("SELECT * FROM readings").group_by("station").apply(fit, "station bigint, slope double")
    slopes = fitted.to_pandas().set_index("station").slope
    print(f"slopes of {len(slopes)} stations from {slopes.min():.2f} to {slopes.max():.2f}")
    print(f"all are what was put in: {all(abs(slopes[key] - slope) < 0.02 for key, slope in SLOPES.items())}")

    tm.write(slopes.reset_index(), "slopes", mode="overwrite")
    (steepest,) = tm.sql("SELECT name FROM slopes JOIN s USING (station) ORDER BY slope DESC", s=STATIONS).fetchmany(1)
    print(f"the steepest, read back: {steepest[0]}")


if __name__ == "__main__":
    main()
