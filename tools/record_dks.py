"""Record the parameters that the reference implementation of DKS and TAT finds, for tests/data/dks.json.

Run it where `dks` (0.1.2) and its numpy part's needs are installed, apart from the development environment:

    python -m venv dks-env && dks-env/bin/pip install --no-deps dks==0.1.2
    dks-env/bin/pip install numpy scipy autograd absl-py
    dks-env/bin/python tools/record_dks.py tests/data/dks.json

The package's tables of parameters are numbers that it computes; nothing of its code is kept.
"""

import json
import sys
import time

from dks.base import activation_transform

# jaxacts's name for each function of the reference.
NAMES = {
    "tanh": "tanh",
    "softplus": "softplus",
    "silu": "swish",
    "gelu": "gelu_exact",
    "gelu_tanh": "gelu",
    "elu": "elu",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "erf": "erf",
    "atan": "atan",
    "asinh": "asinh",
    "softsign": "softsign",
    "leaky_relu": "leaky_relu",
}
SETTINGS = [("DKS", depth) for depth in (10, 50)] + [("TAT", depth) for depth in (10, 50)]


def chain(depth):
    """The subnetwork maximising function of a plain chain of `depth` nonlinear layers: all of it."""

    def maximum(x, local):
        for _ in range(depth):
            x = local(x)
        return x

    return maximum


def main(path):
    """Write every setting that the reference can solve, and the ones that it cannot as null."""
    table = []
    for method, depth in SETTINGS:
        for name, reference in NAMES.items():
            start = time.time()
            try:
                found = activation_transform._get_activations_params(
                    [reference], method=method, subnet_max_func=chain(depth)
                )[reference]
                parameters = {key: float(value) for key, value in found.items()}
            except (ValueError, FloatingPointError) as error:
                print(error)
                parameters = None
            print(method, depth, name, parameters, f"{time.time() - start:.1f} s", flush=True)
            table.append({"method": method.lower(), "depth": depth, "name": name, "parameters": parameters})
    with open(path, "w") as handle:
        json.dump({"package": "dks 0.1.2", "parameters": table}, handle, indent=1)
        handle.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
