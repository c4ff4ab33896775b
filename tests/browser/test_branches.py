"""Branches, protections, tags and the repo itself, looked after in a browser."""

from __future__ import annotations

import itertools

import pytest

from gateway.access.directory import Directory
from gateway.access.rights import Right
from gateway.client import Client, Refusal

from .browser import Browser
from .visitor import Visitor

_NUMBERS = itertools.count()


@pytest.fixture
def repo(caret: Client) -> str:
    name = f"tended-{next(_NUMBERS)}"
    caret.create_repo(name)
    caret.write(name, "k", b"x", message="Written")
    return name


def names(caret: Client, repo: str) -> list[str]:
    return [branch.name for branch in caret.branches(repo)]


def confirm(browser: Browser) -> None:
    browser.driver.switch_to.alert.accept()


def test_a_branch_is_made_protected_deleted_and_restored(root: Browser, caret: Client, repo: str) -> None:
    root.visit(f"/repos/{repo}/branches")
    root.field("New branch").send_keys("draft")
    root.find("button[value=create]").click()
    root.shows("The branch is made.")
    assert names(caret, repo) == ["draft", "main"]

    root.fill(pattern="dr*")
    root.button("Protect").click()
    root.shows("merges only from now on")
    root.find("[aria-label='Delete draft']").click()
    confirm(root)
    root.shows("draft is protected by the pattern dr*")
    assert all("403" in complaint for complaint in root.console())
    root.find("[aria-label='Lift dr*']").click()
    confirm(root)
    root.shows("The protection is lifted.")

    root.find("[aria-label='Delete draft']").click()
    confirm(root)
    root.shows("it can be restored below")
    assert names(caret, repo) == ["main"]
    root.find("[aria-label='Restore draft']").click()
    root.shows("The branch is restored.")
    assert names(caret, repo) == ["draft", "main"]


def test_a_tag_is_made_and_forgotten(root: Browser, caret: Client, repo: str) -> None:
    root.visit(f"/repos/{repo}/branches")
    root.field("New tag").send_keys("v1")
    root.field("Message").send_keys("<b>First</b>")
    root.find("button[value=tag]").click()
    root.shows("<b>First</b>")
    assert caret.get_tag(repo, "v1").commit_id == caret.get_branch(repo, "main").head.id
    root.find("[aria-label='Delete v1']").click()
    confirm(root)
    root.shows("its commit stays")
    assert not caret.list_tags(repo).tags


def test_a_repo_is_renamed_deleted_by_its_name_and_restored(root: Browser, caret: Client, repo: str) -> None:
    other = f"{repo}-renamed"
    root.visit(f"/repos/{repo}/branches")
    root.field("New name").clear()
    root.field("New name").send_keys(other)
    root.button("Rename the repo").click()
    confirm(root)
    root.shows("The repo is renamed")
    assert root.path.startswith(f"/repos/{other}/branches")
    root.field("Its name").send_keys(other)
    root.button("Delete the repo").click()
    confirm(root)
    root.shows("The repo is deleted")
    with pytest.raises(Refusal, match="NoSuchRepo"):
        caret.get_repo(other)
    root.find("[aria-label='Restore main']").click()
    root.shows("The branch is restored.")
    with caret.read(other, "k") as content:
        assert content.read() == b"x"


def test_a_refused_name_stays_in_the_form(root: Browser, caret: Client, repo: str) -> None:
    root.visit(f"/repos/{repo}/branches")
    root.field("New branch").send_keys('Not "a" <name>')
    root.find("button[value=create]").click()
    root.find(".problem")
    assert root.field("New branch").get_attribute("value") == 'Not "a" <name>'
    assert all("400" in complaint for complaint in root.console())


def test_a_branch_that_moved_is_not_deleted(caret: Client, visitor: Visitor, repo: str) -> None:
    seen = caret.get_branch(repo, "main").head.id
    caret.write(repo, "k", b"y")
    answer = visitor.post(f"/repos/{repo}/branches", {"do": "delete", "name": "main", "expected_head": seen})
    assert (answer.status, names(caret, repo)) == (412, ["main"])
    assert "has moved meanwhile" in answer.text


def test_a_repo_is_deleted_by_its_own_name_only(caret: Client, visitor: Visitor, repo: str) -> None:
    assert visitor.post(f"/repos/{repo}/branches", {"do": "delete-repo", "name": "other"}).status == 400
    assert visitor.post(f"/repos/{repo}/branches", {"do": "explode"}).status == 400
    assert names(caret, repo) == ["main"]


def test_somebody_elses_repo_is_not_there(
    browser: Browser, caret: Client, people: Directory, visitor: Visitor, repo: str
) -> None:
    people.create_project("strangers", people.project("default").policy)
    people.create_user("eve", password="correct horse", project="strangers", rights=frozenset({Right.MEMBER}))
    key = people.create_key("strangers", "eve")
    browser.log_in(key.key.access_key, key.secret)
    for path in ("history", "branches", "compare", "merge", "commits/HEAD", "apply?how=reset&rev=HEAD&branch=main"):
        browser.visit(f"/repos/{repo}/{path}")
        assert browser.heading == "NoSuchRepo"
    assert all("404" in complaint for complaint in browser.console())
