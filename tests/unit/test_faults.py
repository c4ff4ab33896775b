"""Every error of the store has its S3 error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pfs
from gateway.handlers.faults import _TABLE


def leaves(kind: type[pfs.StoreError]) -> Iterator[type[pfs.StoreError]]:
    """The store's own errors that are raised: those without subclasses."""
    below = [found for found in kind.__subclasses__() if found.__module__ == "pfs.errors"]
    if not below:
        yield kind
    for found in below:
        yield from leaves(found)


RAISED = sorted(
    {kind for kind in leaves(pfs.StoreError) if kind is not pfs.GuardRefused}, key=lambda kind: kind.__name__
)


@pytest.mark.parametrize("kind", RAISED)
def test_an_error_of_the_store_is_in_the_table_by_itself_or_as_corruption(kind: type[pfs.StoreError]) -> None:
    assert kind in _TABLE or issubclass(kind, pfs.Corruption)


@pytest.mark.parametrize("kind", RAISED)
def test_an_error_of_the_store_is_public(kind: type[pfs.StoreError]) -> None:
    assert getattr(pfs, kind.__name__) is kind
    assert kind.__name__ in pfs.__all__
