"""One script a question; run one with `python -m experiments.NAME`."""
