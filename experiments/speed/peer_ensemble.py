"""The workload as a PyTorch expert writes it: the seeds of an activation are one batched network.

    python peer_ensemble.py DATA.npz OUT.npz THREADS WIDTH PASSES

Every layer is one `baddbmm` over all seeds, and Adam is the fused one.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
import workload as w
from torch.nn import functional

FUNCTIONS = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "leaky_relu": functional.leaky_relu,
    "elu": functional.elu, "selu": torch.selu,
    "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"), "silu": functional.silu,
}  # fmt: skip


def train(name: str, data: list[torch.Tensor], width: int) -> list[np.ndarray]:
    """All seeds of one activation: losses, test accuracies and gradient norms, the seeds leading."""
    x, y, x_test, y_test = data
    per_seed = [w.initial(seed, x.shape[1], width) for seed in range(w.SEEDS)]
    weights = [torch.from_numpy(np.stack(one)).requires_grad_() for one in zip(*per_seed, strict=True)]
    biases = [torch.zeros(w.SEEDS, 1, one.shape[2], requires_grad=True) for one in weights]
    optimizer = torch.optim.Adam([*weights, *biases], lr=w.RATE, fused=True)
    function = FUNCTIONS[name]

    def forward(h: torch.Tensor) -> torch.Tensor:
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            h = function(torch.baddbmm(bias, h, weight))
        return torch.baddbmm(biases[-1], h, weights[-1])

    orders = torch.from_numpy(np.stack([w.batches(seed, len(x)) for seed in range(w.SEEDS)], 1))
    every_test = x_test.expand(w.SEEDS, *x_test.shape)
    losses, accuracies, norms = [], [], []
    total = torch.zeros(w.SEEDS)
    for step, rows in enumerate(orders, 1):
        optimizer.zero_grad(set_to_none=True)
        output = forward(x[rows])
        each = functional.cross_entropy(output.flatten(0, 1), y[rows].flatten(), reduction="none")
        each = each.view(w.SEEDS, -1).mean(1)
        each.sum().backward()
        optimizer.step()
        total += each.detach()
        if step % w.EVERY == 0:
            with torch.no_grad():
                accuracies.append((forward(every_test).argmax(2) == y_test).float().mean(1).numpy())
            norms.append(torch.stack([one.grad.norm(dim=(1, 2)) for one in weights], 1).numpy())
            losses.append((total / w.EVERY).numpy())
            total = torch.zeros(w.SEEDS)
    return [np.stack(found, 1) for found in (losses, accuracies, norms)]


def main() -> None:
    """Train all runs, `PASSES` times."""
    data_path, out, threads, width, passes = sys.argv[1:]
    torch.set_num_threads(int(threads))
    for _ in range(int(passes)):
        begun = time.time()
        data = [torch.from_numpy(array) for array in w.load_data(data_path)]
        curves = [train(name, data, int(width)) for name in w.ACTIVATIONS]
        names = ("loss", "accuracy", "norms")
        w.finish(
            {n: np.concatenate(c) for n, c in zip(names, zip(*curves, strict=True), strict=True)}, out, begun
        )


if __name__ == "__main__":
    main()
