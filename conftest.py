"""Settings shared by the tests and the doctests."""

import gc
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import pytest

import jaxacts

# Traced programs are many objects that stay: to look through them for cycles at every turn takes a twentieth
# of the time.
gc.set_threshold(100_000, 20, 100)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


# What also runs with the lowest supported versions (`pytest -m core`): the contract of the functions, the
# theory, and the lab from its training program to its statistics. The whole suite passes there as well.
CORE = {
    "test_contract.py",
    "test_derivatives.py",
    "test_get.py",
    "test_glu.py",
    "test_initializers.py",
    "test_lab_measures.py",
    "test_lab_mlp.py",
    "test_lab_sweep.py",
    "test_lab_training.py",
    "test_layers.py",
    "test_meanfield.py",
    "test_moments.py",
    "test_statistics.py",
    "test_vector.py",
}

# Here programs are compiled to run once or twice on small arrays, and nothing is judged that depends on how
# well they are compiled; the numerics of the promise, and whatever looks at a program, are not among these.
ONCE = {
    "test_advise.py",
    "test_experiments.py",
    "test_initializers.py",
    "test_lab_measures.py",
    "test_lab_mlp.py",
    "test_lab_training.py",
    "test_report.py",
    "test_trainable.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the core tests, and let the facts of a function follow its promise, whose program they share."""
    promise = {}
    for place, item in enumerate(items):
        if item.path.name in CORE:
            item.add_marker(pytest.mark.core)
        if item.name.startswith("test_promise_of["):
            promise[_name_of(item)] = place

    def place_of(numbered: tuple[int, pytest.Item]) -> float:
        place, item = numbered
        return promise.get(_name_of(item), place) + 0.5 if item.name.startswith("test_facts[") else place

    items[:] = [item for _, item in sorted(enumerate(items), key=place_of)]


def _name_of(item: pytest.Item) -> str:
    return item.callspec.params["name"]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict) -> None:
    doctest_namespace.update(jax=jax, jnp=jnp, jaxacts=jaxacts)


@pytest.fixture(autouse=True, scope="module")
def _quick_to_compile(request: pytest.FixtureRequest) -> Iterator[None]:
    """Spend less on the optimisation of programs that hardly run."""
    jax.config.update("jax_disable_most_optimizations", request.path.name in ONCE)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def x64():
    """Run one test in double precision."""
    enable = getattr(jax, "enable_x64", None)  # jax.experimental.enable_x64 before jax 0.8
    if enable is None:
        from jax.experimental import enable_x64 as enable
    with enable(True):
        yield
