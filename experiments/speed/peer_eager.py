"""The workload as most people write it in PyTorch: one network at a time, in a loop.

    python peer_eager.py DATA.npz OUT.npz PART WIDTH PASSES

Run one process a core, each with its PART "i/n" of the runs.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
import workload as w
from torch import nn

MODULES = {
    "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU,
    "selu": nn.SELU, "gelu_tanh": lambda: nn.GELU(approximate="tanh"), "silu": nn.SiLU,
}  # fmt: skip


def network(name: str, seed: int, features: int, width: int) -> nn.Sequential:
    """A multilayer perceptron with the weights of a seed and zero biases."""
    layers: list[nn.Module] = []
    weights = w.initial(seed, features, width)
    for position, weight in enumerate(weights):
        linear = nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.zero_()
        layers += [linear] if position == len(weights) - 1 else [linear, MODULES[name]()]
    return nn.Sequential(*layers)


def train(name: str, seed: int, data: list[torch.Tensor], width: int) -> list[np.ndarray]:
    """One run: mean loss, test accuracy and gradient norm of every weight matrix at each record."""
    x, y, x_test, y_test = data
    model = network(name, seed, x.shape[1], width)
    matrices = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
    optimizer = torch.optim.Adam(model.parameters(), lr=w.RATE)
    losses, accuracies, norms, total = [], [], [], 0.0
    for step, rows in enumerate(torch.from_numpy(w.batches(seed, len(x))), 1):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item()
        if step % w.EVERY == 0:
            with torch.no_grad():
                accuracies.append((model(x_test).argmax(1) == y_test).float().mean().item())
            norms.append([weight.grad.norm().item() for weight in matrices])
            losses.append(total / w.EVERY)
            total = 0.0
    return [np.array(losses), np.array(accuracies), np.array(norms)]


def main() -> None:
    """Train all runs of the part, `PASSES` times."""
    data_path, out, part, width, passes = sys.argv[1:]
    torch.set_num_threads(1)
    for _ in range(int(passes)):
        begun = time.time()
        data = [torch.from_numpy(array) for array in w.load_data(data_path)]
        curves = [train(name, seed, data, int(width)) for name, seed in w.mine(part)]
        names = ("loss", "accuracy", "norms")
        w.finish({n: np.stack(c) for n, c in zip(names, zip(*curves, strict=True), strict=True)}, out, begun)


if __name__ == "__main__":
    main()
