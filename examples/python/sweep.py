"""A parameter sweep: how many people an epidemic reaches, for some rates of infection and recovery.

Each call solves the differential equations of the SIR model for one pair of rates. Calls fail where nobody
recovers; `return_exceptions` keeps their errors in the place of their values, and the others go on. What was
solved is compared with the formula for the final size of an epidemic.

    python sweep.py
"""

from itertools import product
from typing import NamedTuple

import numpy as np
import tidemill as tm
from scipy.integrate import solve_ivp
from scipy.special import lambertw

INFECTED = 1e-4  # share of the people at the start
BETAS = (0.1, 0.2, 0.3, 0.4, 0.5)  # infections by one infected person in a day
GAMMAS = (0.0, 0.05, 0.1, 0.2)  # recoveries of one infected person in a day


class Rates(NamedTuple):
    beta: float
    gamma: float


def share_reached(rates: Rates) -> float:
    """Share of the people who were infected when it is over."""
    beta, gamma = rates
    if gamma <= 0:
        raise ValueError(f"with gamma = {gamma} nobody recovers, so it is never over")

    def change(_: float, state: np.ndarray) -> tuple[float, float]:
        susceptible, infected = state
        new = beta * susceptible * infected
        return -new, new - gamma * infected

    solved = solve_ivp(change, (0, 100_000), (1 - INFECTED, INFECTED), method="LSODA", rtol=1e-9, atol=1e-12)
    return 1 - float(solved.y[0, -1])


def formula(rates: Rates) -> float:
    """The same from the equation S = S0 exp(-R0 (1 - S)), solved for S."""
    r0 = rates.beta / rates.gamma
    return 1 + float(lambertw(-r0 * (1 - INFECTED) * np.exp(-r0)).real) / r0


def cell(value: float | Exception) -> str:
    return f"{value:8.4f}" if isinstance(value, float) else "   error"


def main() -> None:
    sweep = [Rates(*pair) for pair in product(BETAS, GAMMAS)]
    found = dict(zip(sweep, tm.map(share_reached, sweep, return_exceptions=True), strict=True))

    print("beta \\ gamma" + "".join(f"{gamma:8.2f}" for gamma in GAMMAS))
    for beta in BETAS:
        print(f"{beta:12.2f}" + "".join(cell(found[Rates(beta, gamma)]) for gamma in GAMMAS))

    failed = [value for value in found.values() if isinstance(value, Exception)]
    print(f"{len(failed)} of {len(found)} calls failed: {failed[0]!r}")
    solved = {rates: value for rates, value in found.items() if isinstance(value, float)}
    difference = max(abs(value - formula(rates)) for rates, value in solved.items())
    print(f"all others are within 1e-6 of the formula: {difference < 1e-6}")


if __name__ == "__main__":
    main()
