"""Settings shared by the tests and the doctests."""

import jax
import jax.numpy as jnp
import pytest

import jaxacts

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict) -> None:
    doctest_namespace.update(jax=jax, jnp=jnp, jaxacts=jaxacts)


@pytest.fixture
def x64():
    """Run one test in double precision."""
    enable = getattr(jax, "enable_x64", None)  # jax.experimental.enable_x64 before jax 0.8
    if enable is None:
        from jax.experimental import enable_x64 as enable
    with enable(True):
        yield
