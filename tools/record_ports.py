"""Record what other frameworks compute, as truth for tests/test_porting.py.

Run once in an environment that has the framework; the result is a small JSON file in tests/data:

    python tools/record_ports.py torch   # torch==2.13.0
    python tools/record_ports.py timm    # timm==1.0
    python tools/record_ports.py flax    # flax with jax
    python tools/record_ports.py keras   # keras with KERAS_BACKEND=jax

Every case holds the input, the output and the pullback of a fixed cotangent, in float64 where the framework
keeps it. The inputs contain every kink.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

# Multiples of 1/4 from -7 to 7 hit every kink of the defaults; the rest lie off the grid, or far out.
GRID = [
    *np.arange(-28, 29) / 4,
    0.2,
    0.3,
    -0.3,
    0.1,
    -0.1,
    1e-3,
    -1e-3,
    2.71,
    -2.71,
    12.0,
    -12.0,
    19.9,
    20.0,
    20.1,
    40.0,
]
ROWS = np.random.default_rng(5).normal(size=(3, 4, 6)).round(3) * 2

TORCH = [
    ("Identity", {}), ("ELU", {}), ("ELU", {"alpha": 0.5}), ("CELU", {}), ("CELU", {"alpha": 2.0}),
    ("SELU", {}), ("GELU", {}), ("GELU", {"approximate": "tanh"}), ("Hardshrink", {}),
    ("Hardshrink", {"lambd": 1.0}), ("Hardsigmoid", {}), ("Hardswish", {}), ("Hardtanh", {}),
    ("Hardtanh", {"min_val": -2.0, "max_val": 0.5}), ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.2}), ("LogSigmoid", {}), ("Mish", {}), ("PReLU", {}),
    ("PReLU", {"init": 0.125}), ("ReLU", {}), ("ReLU6", {}), ("RReLU", {}),
    ("RReLU", {"lower": 0.1, "upper": 0.2}), ("SiLU", {}), ("Sigmoid", {}), ("Softplus", {}),
    ("Softplus", {"beta": 2.0, "threshold": 5.0}), ("Softshrink", {}),
    ("Softshrink", {"lambd": 1.0}), ("Softsign", {}), ("Tanh", {}), ("Tanhshrink", {}),
    ("Threshold", {"threshold": 0.5, "value": -2.0}), ("Hardshrink", {"lambd": 0.0}),
    ("Hardshrink", {"lambd": -1.0}), ("Softshrink", {"lambd": 0.0}),
]  # fmt: skip
TORCH_ROWS = [
    ("GLU", {}), ("GLU", {"dim": 1}), ("Softmax", {}), ("Softmax", {"dim": -1}),
    ("Softmin", {"dim": 1}), ("LogSoftmax", {}), ("LogSoftmax", {"dim": 2}), ("Softmax2d", {}),
]  # fmt: skip
FLAX = [
    ("hard_sigmoid", {}), ("hard_silu", {}), ("hard_swish", {}), ("hard_tanh", {}), ("relu6", {}),
    ("elu", {}), ("elu", {"alpha": 0.5}), ("celu", {}), ("celu", {"alpha": 2.0}), ("selu", {}),
    ("log_sigmoid", {}), ("sigmoid", {}), ("silu", {}), ("softplus", {}), ("tanh", {}),
    ("swish", {}), ("leaky_relu", {}), ("leaky_relu", {"negative_slope": 0.2}), ("relu", {}),
    ("gelu", {}),
]  # fmt: skip
FLAX_ROWS = [
    ("glu", {}), ("glu", {"axis": 1}), ("softmax", {}), ("softmax", {"axis": 1}),
    ("log_softmax", {}),
]  # fmt: skip
FLAX_ONLY = [
    ("gelu", {"approximate": False}), ("identity", {}), ("PReLU", {}),
    ("PReLU", {"negative_slope_init": 0.2}), ("soft_sign", {}),
]  # fmt: skip
KERAS_ONLY = [
    ("mish", {}), ("sparse_plus", {}), ("tanh_shrink", {}), ("gelu", {"approximate": True}),
    ("hard_shrink", {}), ("hard_shrink", {"threshold": 1.0}), ("linear", {}),
    ("relu", {"negative_slope": 0.1}), ("relu", {"max_value": 6.0}), ("relu", {"max_value": 3.0}),
    ("relu", {"threshold": 1.0}), ("relu", {"max_value": 2.0, "threshold": 0.5}),
    ("relu", {"max_value": 2.0, "threshold": -0.5}),
    ("relu", {"negative_slope": 0.25, "max_value": 6.0}),
    ("relu", {"negative_slope": 0.25, "max_value": 2.0, "threshold": 0.5}), ("soft_shrink", {}),
    ("softsign", {}), ("sparse_sigmoid", {}), ("squareplus", {}), ("squareplus", {"b": 1.0}),
    ("exponential", {}), ("threshold", {"threshold": 0.5, "default_value": -2.0}), ("ELU", {}),
    ("LeakyReLU", {}), ("PReLU", {}), ("ReLU", {}),
    ("ReLU", {"max_value": 2.0, "negative_slope": 0.25, "threshold": 1.0}),
    ("hard_shrink", {"threshold": 0.0}), ("hard_shrink", {"threshold": -1.0}),
    ("soft_shrink", {"threshold": 0.0}), ("soft_shrink", {"threshold": -1.0}),
    ("relu", {"max_value": 0.0}), ("relu", {"max_value": 0.0, "threshold": -0.5}),
    ("relu", {"max_value": 1.5, "threshold": 1.5}), ("relu", {"max_value": 0.5, "threshold": 1.5}),
    ("relu", {"max_value": 6.0, "threshold": 0.5}), ("relu", {"max_value": -0.5}),
    ("relu", {"negative_slope": 0.25, "threshold": -0.5}),
    ("relu", {"negative_slope": 0.25, "max_value": 2.0, "threshold": -0.5}),
    ("relu", {"negative_slope": 0.25, "max_value": 0.0}),
    ("ReLU", {"max_value": 1.5, "negative_slope": 0.25, "threshold": 1.5}), ("ReLU", {"max_value": 0.0}),
]  # fmt: skip
TIMM = [
    ("identity", {}), ("sigmoid", {}), ("tanh", {}), ("silu", {}), ("swish", {}), ("mish", {}),
    ("gelu", {}), ("gelu_tanh", {}), ("quick_gelu", {}), ("celu", {}), ("relu", {}), ("relu6", {}),
    ("leaky_relu", {}), ("prelu", {}), ("elu", {}), ("selu", {}), ("hard_sigmoid", {}),
    ("hard_sigmoid_me", {}), ("hard_swish", {}), ("hard_swish_me", {}), ("hard_mish", {}),
]  # fmt: skip
TIMM_ROWS = [
    ("GluMlp", {}), ("GluMlp", {"gate_last": False}), ("GluMlp", {"act_layer": "silu"}),
    ("SwiGLUPacked", {}),
]  # fmt: skip


def _case(name, settings, x, run):
    y, back = run(x)
    cotangent = np.cos(np.arange(y.size)).reshape(y.shape)
    return {
        "name": name, "settings": settings, "shape": list(x.shape), "x": x.ravel().tolist(),
        "dtype": str(y.dtype), "y": y.ravel().tolist(), "ct": cotangent.ravel().tolist(),
        "dx": back(cotangent).ravel().tolist(),
    }  # fmt: skip


def _torch_run(module):
    import torch

    def run(x):
        x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        y = module.double().eval()(x) if isinstance(module, torch.nn.Module) else module(x)
        return y.detach().numpy(), lambda ct: torch.autograd.grad(y, x, torch.tensor(ct))[0].numpy()

    return run


def record_torch():
    """The cases of PyTorch."""
    import warnings

    import torch

    warnings.simplefilter("ignore")  # the implicit softmax axis warns
    for x, cases in ((np.array(GRID), TORCH), (ROWS, TORCH_ROWS)):
        for name, settings in cases:
            yield _case(name, settings, x, _torch_run(getattr(torch.nn, name)(**settings)))


def record_timm():
    """The cases of timm."""
    import torch
    from timm.layers import GluMlp, SwiGLUPacked, get_act_layer
    from timm.layers import activations_me as me

    for name, settings in TIMM:
        special = {"hard_sigmoid_me": me.hard_sigmoid_me, "hard_swish_me": me.hard_swish_me}
        module = special[name] if name in special else get_act_layer(name)()
        yield _case(name, settings, np.array(GRID), _torch_run(module))
    layers = {"sigmoid": torch.nn.Sigmoid, "silu": torch.nn.SiLU}
    for name, settings in TIMM_ROWS:
        changed = {
            **settings,
            **({"act_layer": layers[settings["act_layer"]]} if "act_layer" in settings else {}),
        }
        layer = {"GluMlp": GluMlp, "SwiGLUPacked": SwiGLUPacked}[name](
            6, hidden_features=6, out_features=3, **changed
        )
        for part in ("fc1", "fc2", "drop1", "drop2", "norm"):  # leave the gating alone
            setattr(layer, part, torch.nn.Identity())
        yield _case(name, settings, ROWS, _torch_run(layer))


def _jax_run(f):
    import jax
    import jax.numpy as jnp

    def run(x):
        y, back = jax.vjp(f, jnp.asarray(x, jnp.float64))
        return np.asarray(y), lambda ct: np.asarray(back(jnp.asarray(ct, y.dtype))[0])

    return run


def record_flax():
    """The cases of Flax."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from flax import linen

    for x, cases in ((np.array(GRID), FLAX + FLAX_ONLY), (ROWS, FLAX_ROWS)):
        for name, settings in cases:
            if name == "identity":
                f = jax.nn.identity  # what nnx.identity is
            elif name == "PReLU":
                module = linen.PReLU(param_dtype=jnp.float64, **settings)
                variables = module.init(jax.random.key(0), jnp.asarray(x))
                f = lambda x, module=module, variables=variables: module.apply(variables, x)  # noqa: E731
            else:
                f = lambda x, name=name, settings=settings: getattr(linen, name)(x, **settings)  # noqa: E731
            yield _case(name, settings, x, _jax_run(f))


def record_keras():
    """The cases of Keras on JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax

    jax.config.update("jax_enable_x64", True)
    import keras

    keras.config.set_floatx("float64")
    rows = [*FLAX_ROWS, ("sparsemax", {}), ("Softmax", {}), ("Softmax", {"axis": 1})]
    for x, cases in ((np.array(GRID), FLAX + KERAS_ONLY), (ROWS, rows)):
        for name, settings in cases:
            if name[0].isupper():
                layer = getattr(keras.layers, name)(**settings)
                layer(x)  # builds the weights
                yield _case(name, settings, x, _jax_run(layer))
            else:
                f = getattr(keras.activations, name)
                yield _case(name, settings, x, _jax_run(lambda x, f=f, settings=settings: f(x, **settings)))


def main(framework: str) -> None:
    """Write tests/data/ports_FRAMEWORK.json."""
    cases = list(
        {"torch": record_torch, "timm": record_timm, "flax": record_flax, "keras": record_keras}[framework]()
    )
    version = __import__(framework).__version__
    target = Path(__file__).parents[1] / "tests" / "data" / f"ports_{framework}.json"
    target.parent.mkdir(exist_ok=True)
    # x and ct are the same in most cases: store each once
    shared = {}
    for case in cases:
        for part in ("x", "ct"):
            key = f"{part}{case['shape']}{len(case[part])}"
            assert shared.setdefault(key, case[part]) == case[part]
            case[part] = key
    partial = target.with_suffix(".part")
    partial.write_text(
        json.dumps({"framework": framework, "version": version, "arrays": shared, "cases": cases}) + "\n"
    )
    os.replace(partial, target)
    print(f"{target}: {len(cases)} cases of {framework} {version}, {target.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main(sys.argv[1])
