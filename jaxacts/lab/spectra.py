"""Spectra of a whole network: singular values of its Jacobian, the largest eigenvalue of its Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree

JACOBIANS = 16  # examples whose Jacobian is taken
LANCZOS_STEPS = 24

_BREAKDOWN = 1e-5  # a residual below this share of the norm is rounding of float32: the space is exhausted


def jacobian_values(network: Callable[[Array], Array], x: Array) -> Array:
    """Singular values of the Jacobian of the outputs by the inputs, averaged over examples, largest first.

    Args:
      network: maps (examples, features) to (examples, outputs), every example on its own.
      x: (examples, features).

    Returns:
      (min(features, outputs),) float32, the mean over examples of the largest, second largest, … value.

    Example:
      >>> from jaxacts.lab import spectra
      >>> x = jnp.ones((5, 3))
      >>> spectra.jacobian_values(lambda x: x @ jnp.diag(jnp.array([1.0, 3.0, 2.0])), x).tolist()
      [3.0, 2.0, 1.0]

    Reference:
      Pennington et al., https://arxiv.org/abs/1711.04735
    """
    output, pull = jax.vjp(network, x)
    # Examples do not mix, so pulling back one output of all examples at once gives a row of each Jacobian.
    rows = jnp.eye(output.shape[1], dtype=output.dtype)
    jacobians = jax.vmap(lambda row: pull(jnp.broadcast_to(row[None], output.shape))[0])(rows)
    # One by one: jaxlib spreads a batch over the threads of XLA and waits on one of these, so that two runs
    # at a time can wait for each other forever.
    one = lambda jacobian: jnp.linalg.svd(jacobian, compute_uv=False)  # noqa: E731
    return lax.map(one, jacobians.swapaxes(0, 1).astype(jnp.float32)).mean(0)


def sharpness(loss: Callable[[Any], Array], parameters: Any, steps: int = LANCZOS_STEPS) -> Array:
    """Largest eigenvalue of the Hessian of a loss, by Lanczos' method with full reorthogonalisation.

    Args:
      loss: a scalar function of the parameters.
      parameters: a pytree of float32 arrays.
      steps: Hessian-vector products; at most as many as there are parameters are used.

    Returns:
      A float32 scalar; where the method has not converged, it lies below the largest eigenvalue.

    Example:
      >>> from jaxacts.lab import spectra
      >>> loss = lambda p: 2.0 * p["a"][0] ** 2 + 0.5 * p["a"][1] ** 2 - p["b"] ** 2
      >>> round(float(spectra.sharpness(loss, {"a": jnp.ones(2), "b": jnp.float32(1)})), 4)
      4.0

    Reference:
      Ghorbani et al., https://arxiv.org/abs/1901.10159; Cohen et al., https://arxiv.org/abs/2103.00065
    """
    flat, unravel = ravel_pytree(parameters)
    gradient = jax.grad(lambda flat: loss(unravel(flat)))

    def product(v: Array) -> Array:
        return jax.jvp(gradient, (flat,), (v,))[1]

    # A fixed start: the same weights always give the same number.
    start = jax.random.normal(jax.random.key(0), flat.shape, flat.dtype)
    return lanczos(product, start, min(steps, flat.size)).max()


def lanczos(product: Callable[[Array], Array], start: Array, steps: int) -> Array:
    """Eigenvalues of a symmetric matrix in the Krylov space of a vector.

    Args:
      product: multiplies the matrix by a vector.
      start: a vector that is not zero.
      steps: dimension of the space; where the space is exhausted before, values inside the spectrum fill up.

    Returns:
      (steps,) eigenvalues, ascending; the outermost approximate those of the matrix first.

    Example:
      >>> from jaxacts.lab import spectra
      >>> matrix = jnp.diag(jnp.array([1.0, 5.0, 3.0]))
      >>> spectra.lanczos(lambda v: matrix @ v, jnp.ones(3), 3).round(4).tolist()
      [1.0, 3.0, 5.0]

    Reference:
      Golub & Van Loan, Matrix Computations (2013), section 10.3
    """

    def step(carry: Any, index: Array) -> Any:
        basis, v, scale, alive = carry
        basis = basis.at[index].set(v)
        image = product(v)
        centre = v @ image
        for _ in range(2):  # twice is enough: rounding of the first projection is removed by the second
            image = image - basis.T @ (basis @ image)
        rest = jnp.linalg.norm(image)
        scale = jnp.maximum(scale, jnp.abs(centre) + rest)
        goes_on = alive & (rest > _BREAKDOWN * scale)
        after = jnp.where(goes_on, image / jnp.where(goes_on, rest, 1.0), 0.0)
        return (basis, after, scale, goes_on), (centre, jnp.where(goes_on, rest, 0.0), alive)

    first = start / jnp.linalg.norm(start)
    zero = jnp.zeros((), start.dtype)
    carry = (jnp.zeros((steps, start.size), start.dtype), first, zero, jnp.array(True))
    _, (centre, rest, alive) = lax.scan(step, carry, jnp.arange(steps))
    centre = jnp.where(alive, centre, centre[0])  # a Rayleigh quotient, so inside the spectrum
    side = rest[:-1]
    return jnp.linalg.eigvalsh(jnp.diag(centre) + jnp.diag(side, 1) + jnp.diag(side, -1))
