"""Two revisions compared in a browser: the keys that differ, and their contents line by line."""

from __future__ import annotations

import re

import pytest

from gateway.client import Client

from .browser import Browser
from .visitor import Visitor

HOSTILE = "<b>x</b> &\r\n\u202e\"'.txt"


@pytest.fixture(scope="module")
def repo(caret: Client) -> str:
    name = "compared"
    caret.create_repo(name)
    caret.write(name, "a.txt", b"one\ntwo\nthree\n")
    caret.write(name, "gone.bin", b"\0\1\2")
    caret.create_branch(name, "dev")
    caret.write(name, "a.txt", b"one\n<i>2</i>\nthree", branch="dev")
    caret.write(name, HOSTILE, b"<script>alert(1)</script>\n", branch="dev")
    caret.write(name, "gone.bin", b"\0\1\2\3", branch="dev")
    caret.write(name, "new & old.png", b"\x89PNG", branch="dev")
    caret.write(name, "large.txt", b"x" * (1024 * 1024 + 1), branch="dev")
    return name


def rows(browser: Browser, selector: str = ".diff tr") -> list[str]:
    return [" ".join(row.text.split()) for row in browser.all(selector)]


def test_a_text_is_compared_line_by_line_in_one_column_or_two(root: Browser, repo: str) -> None:
    root.visit(f"/repos/{repo}/compare")
    root.fill(before="main", after="dev")
    root.button("Compare").click()
    assert len(rows(root, "tbody tr")) == 5
    root.find("[aria-label='Compare a.txt']").click()
    assert rows(root) == [
        "1 1 one",
        "2 - two",
        "3 - three",
        "2 + <i>2</i>",
        "3 + three (no newline at the end)",
    ]
    root.link("Side by side").click()
    assert rows(root) == ["1 one 1 one", "2 two 2 <i>2</i>", "3 three 3 three (no newline at the end)"]


def test_a_branch_is_compared_with_the_default_one_unless_asked_otherwise(root: Browser, repo: str) -> None:
    root.visit(f"/repos/{repo}/compare?branch=dev")
    assert (root.find("[name=before]").get_attribute("value"), len(rows(root, "tbody tr"))) == ("main", 5)
    root.visit(f"/repos/{repo}/compare?before=dev&after=nowhere")
    root.shows("nowhere")
    assert root.find("[name=after]").get_attribute("value") == "nowhere"
    assert all("404" in complaint for complaint in root.console())


def test_keys_and_lines_are_shown_as_text(root: Browser, repo: str) -> None:
    root.visit(f"/repos/{repo}/compare?before=main&after=dev")
    root.find("[aria-label^='Compare <b>']").click()
    assert root.find("h2 .key").text.startswith("<b>x</b> &")
    assert rows(root) == ["1 + <script>alert(1)</script>"]
    assert root.all("main b, main script") == []


def test_what_is_no_text_is_drawn_or_told_by_size_and_digest(caret: Client, visitor: Visitor, repo: str) -> None:
    pair = f"/repos/{repo}/compare?before=main&after=dev"
    binary = visitor.get(f"{pair}&key=gone.bin").text
    assert "It is no text" in binary
    assert binary.count('<code title="') == 2
    (drawn,) = re.findall(r'<img src="([^"]*)"', visitor.get(f"{pair}&key=new%20%26%20old.png").text)
    after = caret.get_branch(repo, "dev").head.id
    assert drawn == f"/repos/{repo}/image?branch=main&amp;rev={after}&amp;key=new%20%26%20old.png"
    assert "too large" in visitor.get(f"{pair}&key=large.txt").text
    assert "It is the same in both" in visitor.get(f"{pair}&key=a").text
    assert "It is the same in both" in visitor.get(f"{pair}&key=").text


def test_changes_are_paged_in_the_order_of_keys(caret: Client, visitor: Visitor) -> None:
    caret.create_repo("many-keys")
    begun = caret.begin_transaction("many-keys", "main", message="Many")
    branch, _, name = begun.bucket.partition(".")
    for number in range(203):
        caret.write(name, f"k/{number:03} &", b"", branch=branch)
    made = caret.commit_transaction("many-keys", begun.id).commit_id
    for first in (f"/repos/many-keys/commits/{made}", "/repos/many-keys/compare?before=HEAD^&after=HEAD"):
        (following,) = visitor.get(first).links("More changes")
        last = visitor.get(following)
        assert [f"k/{number:03} &amp;</bdi>" in last.text for number in (199, 200, 202)] == [False, True, True]
        assert last.links("More changes") == []
