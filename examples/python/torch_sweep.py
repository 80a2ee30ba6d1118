"""A training sweep with PyTorch: learning rates by seeds, one small network for each call.

The network learns which of two interleaved spirals a point is on. A call sets its own seed and uses one thread,
so its loss does not depend on where it runs; one of them is repeated in this process to show that.

    python torch_sweep.py
"""

from itertools import product
from statistics import mean

import tidemill as tm
import torch
from torch import nn

RATES = (0.0001, 0.001, 0.01)
SEEDS = (0, 1, 2, 3)
POINTS = 100  # of each spiral
STEPS = 100


def spirals() -> tuple[torch.Tensor, torch.Tensor]:
    turn = torch.linspace(0.5, 6, POINTS)
    one = torch.stack([turn * torch.cos(turn), turn * torch.sin(turn)], dim=1) / 6
    labels = torch.cat([torch.zeros(POINTS), torch.ones(POINTS)])
    return torch.cat([one, -one]), labels


def train(rate: float, seed: int) -> float:
    """The loss after the last step."""
    torch.manual_seed(seed)
    points, labels = spirals()
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(net(points).squeeze(1), labels)
        loss.backward()
        optimizer.step()
    return loss.item()


def main() -> None:
    sweep = list(product(RATES, SEEDS))
    with tm.Executor(initializer=torch.set_num_threads, initargs=(1,)) as ex:
        losses = dict(zip(sweep, ex.starmap(train, sweep), strict=True))
    means = {rate: mean(losses[rate, seed] for seed in SEEDS) for rate in RATES}
    for rate in RATES:
        print(f"learning rate {rate:6.4f}: mean loss {means[rate]:.2f}")
    print(f"best learning rate: {min(means, key=lambda rate: means[rate])}")
    torch.set_num_threads(1)
    print(f"the same loss in this process: {train(*sweep[0]) == losses[sweep[0]]}")


if __name__ == "__main__":
    main()
