"""Running an activation and its derivatives in one float type, and the truth to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts.accuracy._ulp import Format, Truth

CHUNK = 8192  # one shape, hence one compilation per function and type

Runner = Callable[[np.ndarray], np.ndarray]


def double_precision() -> Any:
    """A context in which float64 is float64."""
    enable = getattr(jax, "enable_x64", None)
    if enable is None:  # jax before 0.8
        from jax.experimental import enable_x64 as enable  # pyright: ignore[reportAttributeAccessIssue]
    return enable(True)


def require_elementwise(f: Callable[[jax.Array], jax.Array]) -> None:
    """Refuse a function whose result at a point depends on the other points, or on its place among them.

    Raises:
      TypeError: if `f` of a part, of a single point or of the points in reverse is not that part of `f`.
    """
    x = np.random.default_rng(0).uniform(-4, 4, 64)  # in no order
    with double_precision():
        whole = np.asarray(f(jnp.asarray(x)))
        if whole.shape != x.shape:
            raise TypeError(f"f must be elementwise, but turned {x.size} numbers into shape {whole.shape}")
        for what, part in (
            ("reversed", slice(None, None, -1)),
            ("halved", slice(32)),
            ("one of", slice(40, 41)),
        ):
            try:
                alone = np.asarray(f(jnp.asarray(x[part])))
            except Exception as error:
                raise TypeError(f"f must be elementwise, but raises for the input {what}: {error}") from error
            # the same arithmetic may be vectorised otherwise: a rounding, perhaps of float32, and no more
            same = alone.shape == whole[part].shape and np.allclose(
                alone.astype(float), whole[part].astype(float), rtol=1e-5, atol=1e-6, equal_nan=True
            )
            if not same:
                raise TypeError(
                    "f must be elementwise, but its result at a point depends on the others: "
                    f"the input {what} changes it"
                )


def runner(f: Callable[[jax.Array], jax.Array], form: Format) -> Runner:
    """A function from float64 points to float64 rows f, f', f'' that computes in the given type.

    All three come from one compiled program: the value of `f`, and what `jax.grad` gives once and twice.

    Args:
      f: elementwise, `Array -> Array`.
      form: the type to compute in.

    Raises:
      TypeError: if `f` does not keep the type of its input.
    """

    def value_and_slope(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, pull = jax.vjp(f, x)
        if value.dtype != x.dtype or value.shape != x.shape:
            raise TypeError(
                f"f must keep shape and type, but turned {x.dtype}{x.shape} into {value.dtype}{value.shape}"
            )
        return pull(jnp.ones_like(value))[0], value

    @jax.jit
    def program(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        # f is elementwise, so that the pullback of ones is jax.grad at every point, traced once for all
        slope, pull, value = jax.vjp(value_and_slope, x, has_aux=True)
        return value, slope, pull(jnp.ones_like(slope))[0]

    def run(points: np.ndarray) -> np.ndarray:
        rows = []
        with double_precision():
            for start in range(0, points.size, CHUNK):
                part = points[start : start + CHUNK]
                x = np.zeros(CHUNK, form.dtype)
                x[: part.size] = part.astype(form.dtype)
                rows.append(
                    [np.asarray(row).astype(np.float64)[: part.size] for row in program(jnp.asarray(x))]
                )
        return np.concatenate(rows, axis=1)

    return run


def textbook(name: str, params: Mapping[str, float], points: np.ndarray) -> list[Truth]:
    """The truth of f, f' and f'' at float64 points from the mpmath reference, each as hi + lo."""
    from jaxacts import reference  # needs mpmath, which is an extra

    hi, lo = np.empty((3, points.size)), np.empty((3, points.size))
    for i, x in enumerate(points):
        for order, exact in enumerate(reference.jet(name, float(x), 2, **params)):
            hi[order, i], lo[order, i] = pair(exact)
    return [(hi[order], lo[order]) for order in range(3)]


def pair(exact: Any) -> tuple[float, float]:
    """An mpmath number as the nearest float64 and the rest."""
    high = float(exact) if abs(exact) < 2.0**1023 else _large(exact)
    return high, float(exact - high) if np.isfinite(high) else 0.0


def _large(exact: Any) -> float:
    """Numbers that may round to infinity; mpmath raises there on some versions."""
    return (
        float(exact / 2) * 2.0
        if abs(exact) < 2 * 2.0**1023
        else float(np.copysign(np.inf, float(exact > 0) - 0.5))
    )


def same_code(run64: Runner, points: np.ndarray) -> list[Truth]:
    """The truth from the same code in float64, for judging narrower types."""
    return [(row, np.zeros(row.shape)) for row in run64(points)]


def limits(name: str, params: Mapping[str, float]) -> np.ndarray:
    """The limits of f and f' at -inf and +inf, NaN where there is none; rows are f and f'."""
    from jaxacts import reference

    return np.array([[reference.limit(name, side, order, **params) for side in (-1, 1)] for order in (0, 1)])


def backend() -> str:
    """The device that does the computing, in words."""
    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    device = chosen if isinstance(chosen, jax.Device) else jax.devices()[0]
    return f"{device.platform} ({device.device_kind}), jax {jax.__version__}"
