"""Whose a bucket is, an object, an upload: what their settings say of it."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.access.principals import ROOT
from gateway.access.rights import Right
from gateway.handlers.attributes import OWNER, load_owner
from gateway.handlers.context import Context
from gateway.s3.operations import Owner
from pfs import Branch

_ROOT = Owner(ROOT.id, ROOT.display_name)


def bucket_owner(branch: Branch) -> Owner:
    """Whoever created it. A branch that nobody is known to have created is root's."""
    text = branch.settings.get(OWNER)
    return _ROOT if text is None else load_owner(text)


def owner_in(settings: Mapping[str, str], branch: Branch) -> Owner:
    """Whoever wrote the version, or began the upload, that has these settings."""
    text = settings.get(OWNER)
    return bucket_owner(branch) if text is None else load_owner(text)


def writer_in(settings: Mapping[str, str]) -> str:
    """The id of whoever is recorded to have written the version, or begun the upload; "" where nobody is."""
    text = settings.get(OWNER)
    return "" if text is None else load_owner(text).id


def new_owner(ctx: Context, branch: Branch) -> Owner | None:
    """Whom a new version in this branch is to be recorded for. None where the branch's owner will do: not with the
    right to import, which shows what is recorded for the caller and nothing else."""
    is_implied = bucket_owner(branch).id == ctx.caller.id and Right.IMPORT not in ctx.caller.rights
    return None if is_implied else ctx.owner


def bucket_names(branch: Branch) -> tuple[str, ...]:
    """The names by which policies know it: the one that it is listed under, and the one that tells its branch."""
    return branch.label, f"{branch.name}.{branch.repo}"
