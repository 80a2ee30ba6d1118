"""A sweep of a circuit over an angle, with Qiskit on the simulator Aer.

Two qubits in a Bell state are measured in directions that are an angle apart; quantum mechanics says that the
correlation of what is measured is the cosine of the angle. Four such correlations make the CHSH value, which is
at most 2 for anything that was decided before the measurement, and 2 sqrt(2) here.

    python qiskit_sweep.py
"""

from functools import partial
from math import cos, pi, sqrt

import tidemill as tm
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit_aer import AerSimulator

SHOTS = 20_000
STEPS = 24  # of a full turn


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.ry(Parameter("angle"), 1)
    circuit.measure_all()
    return circuit


def correlation(circuit: QuantumCircuit, step: int) -> float:
    """Of the two bits: 1 if they are always the same, -1 if never."""
    bound = circuit.assign_parameters([2 * pi * step / STEPS])
    counts = AerSimulator(seed_simulator=step).run(bound, shots=SHOTS).result().get_counts()
    return sum(count if bits in ("00", "11") else -count for bits, count in counts.items()) / SHOTS


def main() -> None:
    with tm.Executor() as ex:
        found = list(ex.map(partial(correlation, bell()), range(STEPS)))
    for step in range(0, STEPS // 2 + 1, 3):
        print(f"{360 * step // STEPS:4} degrees: measured {found[step]:6.3f}, cosine {cos(2 * pi * step / STEPS):6.3f}")
    worst = max(abs(value - cos(2 * pi * step / STEPS)) for step, value in enumerate(found))
    # five standard deviations of a mean of so many shots
    print(f"all {STEPS} within 5 / sqrt(shots): {worst < 5 / sqrt(SHOTS)}")
    eighth = STEPS // 8
    chsh = 3 * found[eighth] - found[3 * eighth]
    print(f"CHSH value {chsh:.1f}, more than 2: {chsh > 2}")


if __name__ == "__main__":
    main()
