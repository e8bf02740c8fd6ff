"""Functions by name, and set: settings are values, mistakes are explained, docstrings are whole."""

import copy
import inspect
import pickle
import re
import types

import jax
import jax.numpy as jnp
import pytest

import jaxacts

RECORDS = jaxacts.records()
CASES = [(name, dict(case)) for name, record in RECORDS.items() for case in record.cases]


@pytest.mark.parametrize(("name", "case"), CASES, ids=str)
def test_functions_and_bound_settings_are_values(name, case):
    record = RECORDS[name]
    assert pickle.loads(pickle.dumps(record.fn)) is record.fn
    bound = jaxacts.get(name, **case)
    again = jaxacts.get(record.fn, **case)
    for other in (again, pickle.loads(pickle.dumps(bound)), copy.deepcopy(bound)):
        assert other == bound
        assert hash(other) == hash(bound)
    assert len({jaxacts.get(name, **c) for c in record.cases}) == len(record.cases)
    assert jaxacts.record(bound) is record
    assert jaxacts.facts(bound) == record.facts_at(**case)
    for alias in record.facts.aliases:
        assert jaxacts.get(alias, **case) == bound


@pytest.mark.parametrize("name", list(RECORDS))
def test_a_bound_function_is_the_function_with_its_parameters(name):
    record = RECORDS[name]
    case = dict(record.cases[-1])
    x = jax.ShapeDtypeStruct((3,), jnp.float32)
    direct = jax.make_jaxpr(lambda x: record.fn(x, **case))(x)
    bound = jax.make_jaxpr(lambda x: jaxacts.get(name, **case)(x, key=None))(x)
    assert str(bound) == str(direct)


def test_unknown_names_and_parameters_are_explained():
    with pytest.raises(ValueError, match=r"unknown activation 'gleu'; did you mean .*'gelu'"):
        jaxacts.get("gleu")
    with pytest.raises(ValueError, match=r"unknown activation 'zzzzzz'; `jaxacts list`"):
        jaxacts.get("zzzzzz")
    with pytest.raises(TypeError, match=r"silu has no parameter 'alpha'; its parameters are: beta"):
        jaxacts.get("silu", alpha=1.0)
    with pytest.raises(TypeError, match=r"tanh has no parameter 'beta'; its parameters are: none"):
        jaxacts.get("tanh", beta=1.0)
    with pytest.raises(TypeError, match=r"'beta' must be a plain number"):
        jaxacts.get("silu", beta=jnp.ones(3))
    with pytest.raises(TypeError, match="name or a callable, was int"):
        jaxacts.get(3)
    with pytest.raises(ValueError, match="has no record"):
        jaxacts.derivative(lambda x: x)


PUBLIC = sorted(
    name
    for name, f in vars(jaxacts).items()
    if isinstance(f, types.FunctionType) and not name.startswith("_")
)


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_have_their_sections(name):
    # cleaned, as Python 3.13 strips the indentation when it compiles and older versions do not
    text = inspect.cleandoc(getattr(jaxacts, name).__doc__ or "")
    sections = re.findall(r"^(\w+):$", text, re.MULTILINE)
    expected = ["Returns", "Example"]
    if getattr(jaxacts, name).__code__.co_argcount:
        expected.append("Args")
    if name in RECORDS or getattr(jaxacts, name).__module__.startswith("jaxacts.activations"):
        expected.append("Reference")
    assert set(expected) <= set(sections), f"{name} has {sections}"
    code = getattr(jaxacts, name).__code__
    for parameter in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        assert re.search(rf"^  {parameter}: ", text, re.MULTILINE), f"{name} does not describe {parameter}"
