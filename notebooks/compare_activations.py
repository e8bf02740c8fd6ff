# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Comparing activation functions with jaxacts
#
# Which activation should a network use? This notebook looks at a few of them, asks theory what to expect of
# their gradients, and then trains small networks on MNIST-1D under paired seeds, so that the differences come
# with intervals and tests. It takes a few minutes on two CPU cores; with the environment variable `FAST=1`
# everything is shrunk to seconds.

# %%
# @title Set-up: installs jaxacts and leaves the JAX that is already here as it is
import importlib.metadata
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("jaxacts") is None:
    # Naming the installed version keeps pip from replacing an accelerator build of JAX.
    installed = f"jax=={importlib.metadata.version('jax')}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "jaxacts[lab]", installed], check=True)

import jax

print(f"jax {jax.__version__} on {jax.default_backend()}")
if "COLAB_RELEASE_TAG" in os.environ and jax.default_backend() == "cpu":
    print("A GPU or TPU (Runtime > Change runtime type) makes the training faster; a CPU will do.")

# %%
import tempfile

import jax.numpy as jnp
import matplotlib.pyplot as plt

import jaxacts
from jaxacts import lab
from jaxacts.lab import statistics, summary

FAST = os.environ.get("FAST") == "1"
NAMES = ["sigmoid", "tanh", "relu", "gelu", "silu"]
plt.show()  # loads the backend that makes figures appear below their cells
DPI = 75  # small pictures keep the saved notebook small

# %% [markdown]
# ## What they look like
#
# Every activation is a plain function with a record of facts. `jax.grad` differentiates it; the record also
# holds the analytic derivative, which is used only to check the first.

# %%
z = jnp.linspace(-4, 4, 9)
for name in NAMES:
    f = jaxacts.get(name)
    slope = jax.vmap(jax.grad(f))(z)
    gap = float(jnp.abs(slope - jaxacts.derivative(f)(z)).max())
    print(f"{name:8} largest slope {jaxacts.facts(f).lipschitz:.4f}; grad and analytic differ by {gap:.0e}")

# %%
figure = jaxacts.plotting.activations(NAMES)
figure.set_dpi(DPI)
figure

# %% [markdown]
# ## What theory expects
#
# With weights of standard deviation $g/\sqrt n$ a wide network keeps the size of its signal when
# $g = 1/\sqrt{E f(z)^2}$. The gradient then changes by the factor $g\sqrt{E f'(z)^2}$ a layer: far below 1
# for sigmoid, exactly 1 for ReLU.

# %%
for name in NAMES:
    f = jaxacts.get(name)
    gain = float(jaxacts.moments.gain(f, kind="he"))
    factor = gain * float(jaxacts.moments.moments(f, 1.0).slope_second) ** 0.5
    print(f"{name:8} gain {gain:.3f}, gradient times {factor:.3f} a layer, {factor**20:.1e} over 20 layers")

# %% [markdown]
# ## What training shows
#
# Under one seed all activations start from the same normal draws and see the same minibatches. The learning
# rate is chosen for each on a validation split; the test split chooses nothing.

# %%
size = {"dataset": "wine", "seeds": 2, "steps": 30, "depth": 2, "width": 8, "batch_size": 32}
if not FAST:
    size = {"dataset": "mnist1d", "seeds": 5, "steps": 600, "depth": 4, "width": 64}
with tempfile.TemporaryDirectory() as folder:
    results = lab.compare(NAMES, learning_rates=[3e-3, 1e-2], output=folder, **size)
found = summary.summarise(results)
for row in sorted(found.rows, key=lambda row: -row["mean"]):
    mark = "best" if row["best"] else "not distinguishable" if row["as_good"] else ""
    print(
        f"{row['activation']:8} {100 * row['mean']:5.1f} %"
        f"  ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
        f"  rate {row['learning_rate']:g}  {mark}"
    )

# %%
runs = {name: summary.chosen_runs(results, name, "") for name in NAMES}
scores = {name: statistics.t_bands(summary.score_curves(results, index)) for name, index in runs.items()}
figure = jaxacts.plotting.convergence(results.steps, scores, label="test accuracy, 95 % intervals")
figure.set_dpi(DPI)
figure

# %% [markdown]
# The gradient of every weight matrix, input side first, at the first record and at the end. Compare its slope
# with the factors above.

# %%
norms = {name: results.curves["gradient_norm"][index].mean(0) for name, index in runs.items()}
moments = {"first record": 0, "end": -1}
panels = {text: {name: norms[name][at] for name in NAMES} for text, at in moments.items()}
figure = jaxacts.plotting.gradient_flow(panels)
figure.set_dpi(DPI)
figure

# %% [markdown]
# ## Your own function
#
# Anything that maps an array to an array of the same shape can take part, and the theory applies to it too.


# %%
def half_wave(z):
    """A rectifier with a wavy slope."""
    return jnp.where(z > 0, z + 0.2 * jnp.sin(3 * z), 0.1 * z)


print(f"gain {float(jaxacts.moments.gain(half_wave, kind='he')):.3f}")
size = {
    "dataset": "wine",
    "seeds": 3,
    "steps": 30 if FAST else 200,
    "depth": 2,
    "width": 16,
    "batch_size": 32,
}
with tempfile.TemporaryDirectory() as folder:
    mine = lab.compare(["relu", half_wave], learning_rates=[1e-2], output=folder, **size)
for row in summary.summarise(mine).rows:
    print(f"{row['activation']:10} {100 * row['mean']:.1f} % on wine")
