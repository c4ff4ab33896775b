"""Every error of the store has its code in the REST API."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import pfs
from gateway.api.errors import CODES
from gateway.handlers.api.faults import translate

from .test_faults import RAISED

OF_S3_ALONE = {pfs.NoSuchUpload, pfs.NoSuchPart, pfs.PartTooSmall}


def example(kind: type[pfs.StoreError]) -> pfs.StoreError:
    """One of these errors, with a fact of the right type for each that it takes."""
    _self, *parameters = inspect.signature(kind.__init__).parameters.values()
    taken = [it for it in parameters if it.kind is it.POSITIONAL_OR_KEYWORD and it.default is it.empty]
    return kind(*(_fact(parameter.annotation) for parameter in taken))


def _fact(annotation: str) -> Any:
    if "Sequence" in annotation:
        return ()
    return 1 if annotation == "int" else "x"


@pytest.mark.parametrize("kind", RAISED)
def test_an_error_of_the_store_has_a_code_with_its_status(kind: type[pfs.StoreError]) -> None:
    error = translate(example(kind))
    assert error.status == CODES[error.code]


@pytest.mark.parametrize("kind", [kind for kind in RAISED if issubclass(kind, pfs.CallerError)])
def test_a_callers_mistake_has_a_code_of_its_own(kind: type[pfs.StoreError]) -> None:
    assert (translate(example(kind)).code == "InvalidArgument") == (kind in OF_S3_ALONE)


def test_corruption_is_no_callers_mistake_and_says_nothing_of_what_is_stored() -> None:
    error = translate(pfs.BadRecord("commits", "secret"))
    assert (error.code, error.details) == ("InternalError", {})
    assert "secret" not in error.message
