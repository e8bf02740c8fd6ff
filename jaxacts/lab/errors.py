"""Errors of the lab that a caller may want to tell apart; the command line maps them to exit codes."""

from __future__ import annotations


class MissingExtra(ImportError):
    """A package of an optional extra is not installed (command line: exit code 3)."""


class MissingData(RuntimeError):
    """A data set is not on this machine and cannot be downloaded (command line: exit code 3)."""


class DeviceError(RuntimeError):
    """The device that was asked for is not there (command line: exit code 3)."""


class StoreError(RuntimeError):
    """A run folder cannot be read or written; the message names the file and what to do."""


class ConfigMismatch(StoreError):
    """A run folder holds another configuration; the message shows the difference.

    Attributes:
      differences: (field, stored value, value asked for), one entry a field that differs.
    """

    def __init__(self, message: str, differences: list[tuple[str, object, object]]):
        super().__init__(message)
        self.differences = differences


class GroupLost(RuntimeError):
    """Another process of a run over several processes has stopped (command line: exit code 1)."""


class Interrupted(KeyboardInterrupt):
    """A sweep was stopped by Ctrl-C, with everything finished so far saved (command line: exit code 130)."""


def need(package: str, extra: str = "lab") -> MissingExtra:
    """The error to raise when `package`, which comes with an extra, cannot be imported."""
    return MissingExtra(f"this needs the package {package!r}: pip install 'jaxacts[{extra}]'")
