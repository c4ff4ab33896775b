"""History in a browser: the graph as a picture, a commit, what is made of it, and merges with their conflicts."""

from __future__ import annotations

import itertools

import pytest

from gateway.client import Client

from .browser import Browser
from .visitor import Visitor

_NUMBERS = itertools.count()
HOSTILE = "<script>alert(1)</script> & \"x'\r\n\u202e.txt"


@pytest.fixture
def repo(caret: Client) -> str:
    """`main` and `dev` have parted at a commit of one key, and each has changed it since."""
    name = f"story-{next(_NUMBERS)}"
    caret.create_repo(name)
    caret.write(name, "a.txt", b"one\ntwo\nthree\n", message="Begin")
    caret.create_branch(name, "dev")
    caret.write(name, "a.txt", b"one\n2\nthree\n", branch="dev", message="A figure")
    caret.write(name, "b.txt", b"new\n", branch="dev", message="Another file")
    caret.write(name, "a.txt", b"one\nTWO\nthree\n", message="Capitals")
    return name


def head(caret: Client, repo: str, branch: str = "main") -> str:
    return caret.get_branch(repo, branch).head.id


def complaints(browser: Browser, status: int) -> bool:
    """Whether the browser has told of this status, and of nothing else."""
    told = browser.console()
    return bool(told) and all(str(status) in complaint for complaint in told)


def test_the_graph_has_all_branches_with_labels_and_an_edge_to_each_parent(
    root: Browser, caret: Client, repo: str
) -> None:
    caret.create_tag(repo, "v1", rev="dev")
    caret.merge(repo, "main", "dev", strategy="theirs", message="Together")
    root.visit(f"/repos/{repo}/history")
    rows = [
        (row.text.splitlines()[0], len(row.find_elements("css selector", ".lane"))) for row in root.all(".commits li")
    ]
    assert [text for text, _ in rows] == [
        "main Together",
        "Capitals",
        "dev v1 Another file",
        "A figure",
        "Begin",
        "the beginning",
    ]
    # Halves of lines: the merge has two below it, where two lanes pass each row has four.
    assert [count for _, count in rows] == [2, 4, 4, 4, 3, 1]
    for row in root.all(".commits li"):
        picture = row.find_element("css selector", "svg")
        assert abs(picture.size["height"] - row.size["height"]) < 1, "each picture is as high as its row"
    root.link("Another file").click()
    assert root.heading == "Another file"
    root.visit(f"/repos/{repo}/history?branch=dev")
    assert [row.text.splitlines()[0] for row in root.all(".commits li")] == [
        "dev v1 Another file",
        "A figure",
        "Begin",
        "the beginning",
    ]


def test_a_commit_is_tagged_reverted_and_a_branch_reset_to_it(root: Browser, caret: Client, repo: str) -> None:
    root.visit(f"/repos/{repo}/commits/{head(caret, repo)}")
    assert (root.heading, "root" in root.text, "a.txt" in root.text) == ("Capitals", True, True)
    root.find("summary").click()
    root.fill(name="best", message="So far")
    root.button("Make the tag").click()
    root.shows("Tagged.")
    assert caret.get_tag(repo, "best").commit_id == head(caret, repo)

    root.visit(f"/repos/{repo}/apply?how=revert&rev=best&branch=main")
    root.button("Revert on main").click()
    root.shows("Reverted")
    with caret.read(repo, "a.txt") as content:
        assert content.read() == b"one\ntwo\nthree\n"

    root.visit(f"/repos/{repo}/apply?how=reset&rev=best&branch=main")
    root.button("Reset main").click()
    root.shows("The former head stays reachable")
    assert head(caret, repo) == caret.get_tag(repo, "best").commit_id


def test_a_merge_with_a_conflict_is_decided_by_key(root: Browser, caret: Client, repo: str) -> None:
    root.visit(f"/repos/{repo}/merge")
    root.fill(rev="dev")
    root.button("Show what it would do").click()
    root.shows("1 conflict")
    root.shows("1 change besides")
    root.button("Merge into main").click()
    root.shows("Decide whose content")
    assert complaints(root, 409)
    root.find("[aria-label='a.txt: dev']").click()
    root.fill(message="Figures win")
    root.button("Merge into main").click()
    root.shows("this commit is the branch's head now")
    assert root.heading == "Figures win"
    with caret.read(repo, "a.txt") as content:
        assert content.read() == b"one\n2\nthree\n"
    assert len(caret.get_branch(repo, "main").head.parents) == 2


def test_a_branch_that_moved_meanwhile_is_shown_anew_and_not_merged(root: Browser, caret: Client, repo: str) -> None:
    root.visit(f"/repos/{repo}/merge?branch=main&rev=dev")
    root.find("[aria-label='a.txt: main']").click()
    caret.write(repo, "c.txt", b"meanwhile", message="Meanwhile")
    root.button("Merge into main").click()
    root.shows("has moved meanwhile")
    assert complaints(root, 412)
    assert caret.get_branch(repo, "main").head.message == "Meanwhile"
    assert root.find("[aria-label='a.txt: main']").is_selected()
    root.button("Merge into main").click()
    root.shows("this commit is the branch's head now")


def test_conflicts_left_over_are_decided_at_once(caret: Client, visitor: Visitor, repo: str) -> None:
    for number in range(3):
        caret.write(repo, f"k\r\n{number}", b"main")
        caret.write(repo, f"k\r\n{number}", b"dev", branch="dev")
    form = {
        "branch": "main",
        "rev": "dev",
        "theirs": head(caret, repo, "dev"),
        "expected_head": head(caret, repo),
        "side:k%0D%0A1": "theirs",
        "rest": "ours",
    }
    answer = visitor.post(f"/repos/{repo}/merge", form)
    assert answer.status == 303
    contents = []
    for number in range(3):
        with caret.read(repo, f"k\r\n{number}") as content:
            contents.append(content.read())
    assert contents == [b"main", b"dev", b"main"]


def test_a_protected_branch_says_how_it_is_changed(caret: Client, visitor: Visitor, repo: str) -> None:
    caret.protect(repo, "main")
    form = {"how": "revert", "rev": head(caret, repo), "branch": "main", "expected_head": head(caret, repo)}
    answer = visitor.post(f"/repos/{repo}/apply", form)
    assert answer.status == 403
    assert "main is protected by the pattern main: it takes merges only" in answer.text


def test_conflicts_of_a_revert_are_decided_on_its_page(root: Browser, caret: Client, repo: str) -> None:
    first = head(caret, repo)
    caret.write(repo, "a.txt", b"later", message="Later")
    root.visit(f"/repos/{repo}/apply?how=revert&rev={first}&branch=main")
    root.button("Revert on main").click()
    root.shows("1 conflict")
    assert complaints(root, 409)
    root.find("[value=theirs][name^='side:']").click()
    root.button("Revert on main").click()
    root.shows("Reverted")
    with caret.read(repo, "a.txt") as content:
        assert content.read() == b"one\ntwo\nthree\n"


def test_messages_and_keys_are_shown_as_text(root: Browser, caret: Client, repo: str) -> None:
    written = caret.write(repo, HOSTILE, b"x", message="<img src=x onerror=alert(1)>")
    for path in ("history", f"commits/{written}", f"merge?branch=dev&rev={written}"):
        root.visit(f"/repos/{repo}/{path}")
        root.shows("<img src=x onerror=alert(1)>")
        assert root.all("main img, main script") == []
    root.visit(f"/repos/{repo}/commits/{written}?done=%3Cscript%3E")
    assert root.find("td .key").text.startswith("<script>alert(1)</script> & \"x'")


def test_a_long_history_is_paged_by_time_over_all_branches(caret: Client, visitor: Visitor) -> None:
    name = f"long-{next(_NUMBERS)}"
    caret.create_repo(name)
    for branch in ("old", "b0", "b1", "b2"):
        caret.create_branch(name, branch)
    for number in range(105):
        branch = ("main", "b0", "b1", "b2")[number % 4] if number else "old"
        caret.write(name, "k", str(number).encode(), branch=branch, message=f"number {number}.")
    first = visitor.get(f"/repos/{name}/history")
    (following,) = first.links("Older commits")
    both = (first.text + visitor.get(following).text).replace("\n", "")
    shown = [int(part.partition(".")[0]) for part in both.split("<bdi>number ")[1:]]
    assert shown == list(reversed(range(105)))
    assert visitor.get(following).links("Older commits") == []
    assert [">old</a>" in page.text for page in (first, visitor.get(following))] == [False, True]


def test_what_is_not_there_is_a_page_and_no_failure(caret: Client, visitor: Visitor, repo: str) -> None:
    assert visitor.get("/repos/nowhere/history").status == 404
    assert visitor.get(f"/repos/{repo}/history?branch=nowhere").status == 404
    assert visitor.get(f"/repos/{repo}/history?after=zz").status == 404
    assert visitor.get(f"/repos/{repo}/commits/%2e%2e%2f").status == 400
    assert visitor.get(f"/repos/{repo}/merge?branch=main&rev=nowhere").status == 404
    assert visitor.get(f"/repos/{repo}/apply?how=explode&rev=HEAD&branch=main").status == 400
    assert visitor.post(f"/repos/{repo}/merge", {"branch": "main", "rev": "dev"}).status == 400
    assert visitor.post(f"/repos/{repo}/commits/HEAD", {"do": "tag", "name": "Not A Name"}).status == 400


def test_nothing_is_changed_without_the_token(caret: Client, visitor: Visitor, repo: str) -> None:
    form = {"how": "reset", "rev": "HEAD^", "branch": "main", "csrf": "guessed"}
    assert visitor.post(f"/repos/{repo}/apply", form).status >= 400
    assert caret.get_branch(repo, "main").head.message == "Capitals"
