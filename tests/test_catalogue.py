"""The records as tables."""

import copy
import json
import math
import pickle

import jax.numpy as jnp
import pytest

import jaxacts
from jaxacts import catalogue


def test_every_record_has_a_row_of_valid_json():
    document = json.loads(json.dumps(catalogue.document(), allow_nan=False))
    assert document["schema"] == catalogue.SCHEMA
    assert [row["name"] for row in document["activations"]] == list(jaxacts.records())
    for row in document["activations"]:
        facts = jaxacts.records()[row["name"]].facts
        assert float(row["image"][0]) == facts.image[0]
        assert (math.nan if row["limits"][0] is None else float(row["limits"][0])) == pytest.approx(
            facts.limits[0], nan_ok=True
        )


def test_markdown_has_a_line_each_and_no_broken_cells():
    lines = catalogue.markdown().splitlines()
    assert len(lines) == 2 + len(jaxacts.records())
    for line in lines:
        assert line.replace(r"\|", "").count("|") == 8, line


@pytest.mark.parametrize(
    ("name", "want"),
    [("relu", "0 … ∞"), ("tanh", "-1 … 1"), ("identity", "-∞ … ∞"), ("gelu", "-0.169971 … ∞")],
)
def test_image_as_text(name, want):
    assert catalogue.image(catalogue.rows([name])[0]) == want


@pytest.mark.parametrize(
    ("latex", "want"),
    [
        (r"\frac{x}{1+e^{-\beta x}}", "x/(1+e^(-β x))"),
        (r"x\,\Phi(x)", "x Φ(x)"),
        (r"\frac{1}{\sqrt{1+\alpha x^{2}}}", "1/(√(1+α x²))"),
        (r"\begin{cases} x & x > 0 \\ \alpha(e^x-1) & x \le 0 \end{cases}", "x, x > 0; α(e^x-1), x ≤ 0"),
        (r"\operatorname{softplus}(x)", "softplus(x)"),
        (r"x\tanh(\log(1+e^x))", "x tanh(log(1+e^x))"),
        (r"\left|x\right|", "|x|"),
    ],
)
def test_latex_as_text(latex, want):
    assert catalogue.plain(latex) == want


def test_no_formula_of_the_catalogue_keeps_latex():
    for record in jaxacts.records().values():
        text = catalogue.plain(record.formula)
        assert text
        assert not set(text) & set("\\{}$"), (record.name, text)


def test_derivative_source_is_code_that_gives_the_derivative():
    source = catalogue.derivative_source(jaxacts.records()["tanh"])
    assert "return" in source
    assert "def " not in source.splitlines()[0]


def test_summary_of_a_docstring():
    def f(x):
        r"""Square, :math:`x^2`.

        More.
        """
        return jnp.square(x)

    assert catalogue.summary(f) == "Square, x²."


def test_unknown_name():
    with pytest.raises(ValueError, match="did you mean"):
        catalogue.rows(["gellu"])


def test_records_are_pickled_by_name():
    record = jaxacts.records()["elu"]
    assert pickle.loads(pickle.dumps(record)) is record
    assert copy.deepcopy({record: 1}) == {record: 1}
