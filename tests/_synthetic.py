"""A made-up comparison, in the form in which the lab stores real ones."""

import numpy as np

from jaxacts.lab import Results

ACTIVATIONS = ("sigmoid", "tanh", "relu", "gelu")


def settings_of(facet):
    """The settings in a label such as "depth=2, residual=True"."""
    pairs = [pair.split("=") for pair in facet.split(", ") if pair]
    return {name: int(value) if value.isdigit() else value for name, value in pairs}


def results(
    activations=ACTIVATIONS,
    seeds=5,
    rates=(1e-4, 1e-3, 1e-2),
    facets=("",),
    levels=None,
    metric="accuracy",
    seed=0,
):
    """Curves that rise to a level of their own; `levels` sets the final score by activation."""
    rng = np.random.default_rng(seed)
    levels = dict(zip(activations, np.linspace(0.5, 0.8, len(activations)), strict=True)) | dict(levels or {})
    steps = np.arange(0, 501, 50)
    runs = [
        {"activation": a, "learning_rate": rate, "seed": s, "facet": facet, "depth": 3, "width": 16,
         "init": "auto", "optimizer": "adam", **settings_of(facet)}
        for facet in facets for a in activations for rate in rates for s in range(seeds)
    ]  # fmt: skip
    common = rng.normal(0, 0.02, seeds)  # what the seeds share
    final = np.array([
        levels[run["activation"]] - 0.1 * abs(np.log10(run["learning_rate"]) + 3)
        + common[run["seed"]] + rng.normal(0, 0.005)
        for run in runs
    ])  # fmt: skip
    rise = 1 - np.exp(-steps / 120.0)
    score = 0.1 + (final[:, None] - 0.1) * rise / rise[-1]
    layers = np.arange(4)
    shrink = {"sigmoid": 3.0}
    norm = np.stack([shrink.get(run["activation"], 0.2) * (layers - 3) for run in runs])
    health = np.full((len(runs), steps.size, 3), 0.25)
    curves = {
        "train_loss": 2.3 - 2.0 * score,
        f"validation_{metric}": score,
        f"test_{metric}": score,
        "gradient_norm": np.exp(norm)[:, None, :] * np.ones((1, steps.size, 1)),
        "dead": 0.0 * health,
        "saturated": health,
        "preactivation_mean": 0.0 * health,
        "preactivation_std": 4 * health,
        "preactivation_q25": -2 * health,
        "preactivation_q50": 0.0 * health,
        "preactivation_q75": 2 * health,
        "sharpness": 3.0 + score,
        "jacobian": np.exp(norm)[:, None, :3] * np.ones((1, steps.size, 1)),
    }
    manifest = {
        "schema": 1,
        "hash": "0123456789",
        "created": "2026-01-02T03:04:05Z",
        "metric": metric,
        "config": {},
        "runs": runs,
        "task": "classification" if metric == "accuracy" else "regression",
        "versions": {"jax": "0.10.2", "numpy": "2.4"},
        "device": "1 × cpu",
        "git": None,
        "argv": ["jaxacts", "compare"],
        "dataset": {
            "name": "made up",
            "classes": 10,
            "sizes": {"train": 800, "validation": 100, "test": 100},
        },
        "activations": {a: {"source": a} for a in activations},
        "notes": ["These runs are made up."],
        "timing": {},
    }
    config = {
        "activations": list(activations),
        "dataset": "made up",
        "depth": [3],
        "width": [16],
        "steps": 500,
        "target": None,
    }
    chosen = {f"{a} [{facet}]" if facet else a: 1e-3 for a in activations for facet in facets}
    return Results(config, manifest, runs, steps, curves, np.zeros(len(runs), bool), chosen)
