"""A multilayer perceptron as two pure functions over a pytree, with a probe at every pre-activation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

Normalisation = Literal["none", "layer", "batch"]

# From this depth on the hidden layers are one stacked array run by `lax.scan`: compile time stops growing
# with depth, for 1.2 to 1.5 times the time a step (measured at 16 to 128 layers).
SCAN_FROM = 32

INITIALISERS = ("auto", "lecun", "glorot", "he", "orthogonal")

_EPSILON = 1e-5  # added to variances by the normalisations, the value PyTorch and Flax use
_MOMENTUM = 0.9  # of the running statistics of batch normalisation


class Layer(NamedTuple):
    """Parameters of one affine map; `scale` and `shift` only with a normalisation."""

    weight: Any
    bias: Any
    scale: Any = None
    shift: Any = None


class Parameters(NamedTuple):
    """All parameters: the first layer, the other hidden layers, and the output layer.

    `hidden` is a tuple of layers, or one `Layer` with a leading axis when there are `SCAN_FROM` or more.
    """

    first: Layer
    hidden: Any
    last: Layer


class Statistics(NamedTuple):
    """Running mean and variance of the pre-activations for batch normalisation: (layers, width)."""

    mean: Any
    variance: Any


class Output(NamedTuple):
    """What a forward pass returns.

    Attributes:
      output: (batch, outputs), before any softmax.
      preactivations: the inputs of the activation, one (batch, width) array a layer, or stacked.
      extra: what the activation returned beside its value, layer by layer.
      statistics: updated running statistics, or None.
    """

    output: Any
    preactivations: Any
    extra: Any
    statistics: Any


def draw(seed: int, features: int, outputs: int, depth: int, width: int) -> list[np.ndarray]:
    """Standard-normal draws for the weights; they depend on the seed and the shapes only, on no activation.

    Drawn on the host: it costs a millisecond, where a random-number program costs half a second to compile.

    Args:
      seed: a non-negative integer.
      features: size of the input.
      outputs: size of the output.
      depth: number of hidden layers.
      width: size of each hidden layer.

    Returns:
      depth + 1 float32 matrices (fan_in, fan_out), input side first.

    Example:
      >>> from jaxacts.lab import mlp
      >>> [w.shape for w in mlp.draw(0, 3, 2, depth=2, width=5)]
      [(3, 5), (5, 5), (5, 2)]
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 1])))
    sizes = [features, *[width] * depth, outputs]
    return [generator.standard_normal(shape, dtype=np.float32) for shape in itertools.pairwise(sizes)]


def init(
    draws: Sequence[np.ndarray],
    initialiser: str = "auto",
    gain: float = 1.0,
    normalisation: Normalisation = "none",
) -> Parameters:
    r"""Initial parameters from standard-normal draws: scaled weights, zero biases.

    The standard deviation of a weight is

    * auto: :math:`g/\sqrt{n_{in}}` with the gain g of the activation, but :math:`1/\sqrt{n_{in}}` in the
    first
      layer, whose input is standardised data and not an activation;
    * lecun: :math:`1/\sqrt{n_{in}}`; he: :math:`\sqrt{2/n_{in}}`; glorot: :math:`\sqrt{2/(n_{in}+n_{out})}`;
    * orthogonal: as auto, with orthonormal rows or columns (the Q factor of the draws).

    Args:
      draws: from :func:`draw`.
      initialiser: one of `INITIALISERS`.
      gain: gain of the activation, e.g. ``jaxacts.moments.gain(f, kind="he")``; used by auto and orthogonal.
      normalisation: "layer" and "batch" add a scale and a shift to every hidden layer.

    Returns:
      The parameters, numpy arrays of type float32.

    Raises:
      ValueError: for an unknown initialiser or a gain that is not positive and finite.

    Example:
      >>> from jaxacts.lab import mlp
      >>> parameters = mlp.init(mlp.draw(0, 100, 10, depth=3, width=100), "he")
      >>> round(float(parameters.last.weight.std()), 2)  # sqrt(2/100)
      0.14

    Reference:
      He et al., https://arxiv.org/abs/1502.01852; Saxe et al., https://arxiv.org/abs/1312.6120
    """
    if initialiser not in INITIALISERS:
        raise ValueError(f"init must be one of {', '.join(INITIALISERS)}, was {initialiser!r}")
    if not (np.isfinite(gain) and gain > 0):
        raise ValueError(f"gain must be positive and finite, was {gain!r}")
    layers = []
    for index, normal in enumerate(draws):
        fan_in, fan_out = normal.shape
        g = gain if index else 1.0
        if initialiser == "orthogonal":
            # The Q factor has variance 1/max(fan_in, fan_out); this brings it to g^2/fan_in as for auto.
            weight = _orthogonal(normal) * np.float32(g * np.sqrt(max(fan_in, fan_out) / fan_in))
        else:
            std = {
                "auto": g / np.sqrt(fan_in),
                "lecun": 1 / np.sqrt(fan_in),
                "he": np.sqrt(2 / fan_in),
                "glorot": np.sqrt(2 / (fan_in + fan_out)),
            }[initialiser]
            weight = normal * np.float32(std)
        layers.append(Layer(weight, np.zeros(fan_out, np.float32)))
    if normalisation != "none":
        one = [np.ones_like(layer.bias) for layer in layers[:-1]]
        layers[:-1] = [
            layer._replace(scale=scale, shift=0 * scale) for layer, scale in zip(layers, one, strict=False)
        ]
    parameters = Parameters(layers[0], tuple(layers[1:-1]), layers[-1])
    return stacked(parameters) if len(layers) - 1 >= SCAN_FROM else parameters


def stacked(parameters: Parameters) -> Parameters:
    """The same parameters with the hidden layers in one array, so that :func:`apply` runs them by `lax.scan`.

    Args:
      parameters: with two hidden layers or more; others are returned as they are.

    Returns:
      The parameters.
    """
    if isinstance(parameters.hidden, Layer) or not parameters.hidden:
        return parameters
    stack = np.stack if isinstance(parameters.first.weight, np.ndarray) else jnp.stack
    return parameters._replace(hidden=jax.tree.map(lambda *leaves: stack(leaves), *parameters.hidden))


def _orthogonal(normal: np.ndarray) -> np.ndarray:
    tall = normal if normal.shape[0] >= normal.shape[1] else normal.T
    q, r = np.linalg.qr(tall.astype(np.float64))
    q = q * np.sign(np.diag(r))  # makes the factorisation unique, hence Q uniform over orthogonal matrices
    return (q if normal.shape[0] >= normal.shape[1] else q.T).astype(np.float32)


def probes(parameters: Parameters, batch: int) -> list[np.ndarray]:
    """Zero arrays to be added to the pre-activations of an unscanned network.

    The gradient of a loss with respect to them is the gradient with respect to the pre-activations, so the
    forward pass needs no hooks.

    Args:
      parameters: the parameters.
      batch: number of examples.

    Returns:
      One float32 array of zeros (batch, width) a hidden layer.

    Example:
      >>> from jaxacts.lab import mlp
      >>> parameters = mlp.init(mlp.draw(0, 3, 1, depth=2, width=4))
      >>> x = jnp.ones((5, 3))
      >>> loss = lambda zeros: mlp.apply(parameters, x, jnp.tanh, probes=zeros).output.sum()
      >>> [g.shape for g in jax.grad(loss)(mlp.probes(parameters, 5))]
      [(5, 4), (5, 4)]
    """
    if isinstance(parameters.hidden, Layer):
        depth, width = parameters.hidden.weight.shape[:2]
        return [np.zeros((batch, width), np.float32)] * (depth + 1)
    return [
        np.zeros((batch, layer.bias.shape[0]), np.float32) for layer in (parameters.first, *parameters.hidden)
    ]


def apply(
    parameters: Parameters,
    x: Array,
    activation: Callable[[Array], Any],
    *,
    probes: Sequence[Array] | None = None,
    normalisation: Normalisation = "none",
    residual: bool = False,
    statistics: Statistics | None = None,
    training: bool = False,
    dropout: Array | float | None = None,
    key: Array | None = None,
    has_extra: bool = False,
) -> Output:
    """Forward pass: affine map, normalisation, activation, dropout, layer by layer; then the output map.

    Args:
      parameters: from :func:`init`.
      x: (batch, features).
      activation: a function of a pre-activation array; with `has_extra` it returns a pair (value, extra).
      probes: arrays to add to the pre-activations, see :func:`probes`.
      normalisation: of the pre-activations: "none", "layer" or "batch".
      residual: add the input of every hidden layer but the first to its output.
      statistics: running statistics, needed by "batch".
      training: whether "batch" uses the statistics of this batch, and updates the running ones.
      dropout: rate at which units are dropped; None leaves dropout out of the program.
      key: for dropout.
      has_extra: see `activation`.

    Returns:
      An :class:`Output`.

    Example:
      >>> from jaxacts.lab import mlp
      >>> parameters = mlp.init(mlp.draw(0, 3, 2, depth=2, width=4))
      >>> mlp.apply(parameters, jnp.ones((5, 3)), jaxacts.gelu).output.shape
      (5, 2)
    """

    def layer(h: Array, p: Layer, probe: Any, running: Any, key: Any, skip: bool) -> tuple[Array, Any]:
        z = _affine(h, p)
        if normalisation != "none":
            z, running = _normalise(z, p, normalisation, running, training)
        if probe is not None:
            z = z + probe
        value = activation(z)
        value, extra = value if has_extra else (value, None)
        if dropout is not None and training:
            keep = jax.random.uniform(key, value.shape, jnp.float32) >= dropout
            value = jnp.where(keep, value / (1.0 - jnp.asarray(dropout, value.dtype)), jnp.zeros_like(value))
        return (h + value if skip and residual else value), (z, extra, running)

    scanned = isinstance(parameters.hidden, Layer)
    depth = 1 + (parameters.hidden.weight.shape[0] if scanned else len(parameters.hidden))
    keys: Any = [None] * depth
    if dropout is not None and training:
        if key is None:
            raise ValueError("dropout needs a key")
        keys = jax.random.split(key, depth)

    h, out = layer(
        x, parameters.first, None if probes is None else probes[0], _at(statistics, 0), keys[0], False
    )
    outs = [out]
    if scanned:
        rest = (
            parameters.hidden,
            None if probes is None else jnp.stack(list(probes[1:])),
            _at(statistics, slice(1, None)),
            keys[1:] if dropout is not None and training else None,
        )
        h, more = lax.scan(lambda h, args: layer(h, *args, True), h, rest)
        stacked = jax.tree.map(lambda one, many: jnp.concatenate([one[None], many]), out, more)
    else:
        for index, p in enumerate(parameters.hidden, 1):
            probe = None if probes is None else probes[index]
            h, out = layer(h, p, probe, _at(statistics, index), keys[index], True)
            outs.append(out)
        stacked = None
    output = _affine(h, parameters.last)
    if stacked is not None:
        z, extra, running = stacked
        return Output(output, z, extra, running)
    running = (
        None if statistics is None else jax.tree.map(lambda *leaves: jnp.stack(leaves), *[o[2] for o in outs])
    )
    return Output(output, [o[0] for o in outs], [o[1] for o in outs], running)


def watch(
    parameters: Parameters,
    x: Array,
    activation: Callable[[Array], tuple[Array, Any]],
    *,
    normalisation: Normalisation = "none",
    residual: bool = False,
    statistics: Statistics | None = None,
) -> tuple[Array, Any]:
    """The forward pass of :func:`apply` outside training, with the activation at one place of the program.

    All hidden layers are one loop that ends a layer between its pre-activation and its activation, since
    their shapes are then equal, whatever the size of the input. It is made to be compiled quickly, and not
    to be differentiated.

    Args:
      parameters: from :func:`init`.
      x: (batch, features).
      activation: a function of a pre-activation array that returns a pair (value, extra).
      normalisation: as for :func:`apply`.
      residual: as for :func:`apply`.
      statistics: as for :func:`apply`.

    Returns:
      The output (batch, outputs), and what the activation returned as extra, with the layers as leading axis.

    Example:
      >>> from jaxacts.lab import mlp
      >>> parameters = mlp.init(mlp.draw(0, 3, 2, depth=4, width=4))
      >>> output, means = mlp.watch(parameters, jnp.ones((5, 3)), lambda z: (jnp.tanh(z), z.mean()))
      >>> output.shape, means.shape
      ((5, 2), (4,))
    """
    hidden, depth = _rows(parameters.hidden)
    norms = _norm(parameters.first)
    if hidden is not None:
        norms = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), norms, _norm(hidden))

    def step(carry: tuple[Array, Any], at: Any) -> tuple[tuple[Array, Any], Any]:
        (z, before), (index, running) = carry, at
        width = z.shape[1]
        if normalisation != "none":
            z, _ = _normalise(z, _block(norms, index, width), normalisation, running, training=False)
        h, extra = activation(z)
        if residual:
            h = before = before + h
        if hidden is not None:  # the last layer leads out of the loop
            h = lax.cond(index < depth - 1, lambda: _affine(h, _block(hidden, index, width)), lambda: h)
        return (h, before), extra

    z = _affine(x, parameters.first)
    carry = (z, jnp.zeros_like(z) if residual else None)
    (h, _), extra = lax.scan(step, carry, (jnp.arange(depth), statistics))
    return _affine(h, parameters.last), extra


def _rows(hidden: Any) -> tuple[Layer | None, int]:
    """The arrays of all hidden layers but the first, each below the one before, and the number of layers.

    XLA compiles that as plain copies; stacking them along a new axis costs twenty times as much.
    """
    if isinstance(hidden, Layer):
        joined = jax.tree.map(lambda leaf: jnp.reshape(leaf, (-1, *leaf.shape[2:])), hidden)
        return joined, 1 + hidden.weight.shape[0]
    if not hidden:
        return None, 1
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *hidden), 1 + len(hidden)


def _block(rows: Any, index: Array, width: int) -> Layer:
    """The arrays of one layer from :func:`_rows`."""
    return jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, index * width, width), rows)


def _norm(p: Layer) -> Layer:
    """What the normalisation of a layer needs."""
    return p._replace(weight=None, bias=None)


def _at(tree: Any, index: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _affine(h: Array, p: Layer) -> Array:
    return _product(h, p.weight) + p.bias[None]


@jax.custom_vjp
def _product(h: Array, weight: Array) -> Array:
    """Product h @ weight; in its gradient both factors lie in memory as the product reads them.

    XLA's fast matrix product on CPUs does not take a transposed first factor, and the one it falls back to
    needs 1.6 times as long at width 256; a transposed copy costs a few per cent.
    """
    return h @ weight


def _product_backward(factors: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    h, weight = factors
    of_weight = lax.platform_dependent(
        h,
        cotangent,
        cpu=lambda h, c: lax.optimization_barrier(h.T) @ c,  # else the transposition is merged again
        default=lambda h, c: h.T @ c,
    )
    return cotangent @ weight.T, of_weight


_product.defvjp(lambda h, weight: (h @ weight, (h, weight)), _product_backward)


def _normalise(z: Array, p: Layer, kind: str, running: Any, training: bool) -> tuple[Array, Any]:
    wide = z.astype(jnp.float32)  # statistics of 16-bit pre-activations would lose their digits
    if kind == "layer":
        mean, variance = wide.mean(1, keepdims=True), wide.var(1, keepdims=True)
    elif training:
        mean, variance = wide.mean(0), wide.var(0)
        running = Statistics(
            _MOMENTUM * running.mean + (1 - _MOMENTUM) * mean,
            _MOMENTUM * running.variance + (1 - _MOMENTUM) * variance,
        )
        mean, variance = mean[None], variance[None]
    else:
        mean, variance = running.mean[None], running.variance[None]
    unit = ((wide - mean) * lax.rsqrt(variance + _EPSILON)).astype(z.dtype)
    return unit * p.scale[None] + p.shift[None], running
