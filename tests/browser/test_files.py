"""Files of a repo in the browser: looked through at any revision, previewed, downloaded, uploaded, restored."""

from __future__ import annotations

import base64
import html
import re
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from gateway.client import Client, Refusal
from pfs import Put, StoreConfig, open_store
from tests.integration.server import Server, until

from .browser import Browser
from .visitor import Visitor

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEklEQVR4nGP8z8DAwMDAxAADAA4WAQMm1g1XAAAAAElFTkSuQmCC"
)
HOSTILE = "odd/<script>alert(1)</script> \"q\" 'a' %2F ünï ✓ &amp;#+?.txt"
MANY = 4_000


@pytest.fixture
def repo(caret: Client, request: pytest.FixtureRequest) -> str:
    name: str = request.node.name.replace("_", "-")[5:].strip("-")[:60].strip("-")
    caret.create_repo(name)
    return name


def names(browser: Browser) -> list[str]:
    return [cell.text for cell in browser.all(".files td.name")]


def object_page(repo: str, key: str, **query: str) -> str:
    return f"/repos/{repo}/object?{urlencode({'key': key, **query}, quote_via=quote)}"


def test_folders_are_walked_at_head_and_before(root: Browser, caret: Client, repo: str) -> None:
    for key in ("b.txt", "docs/deep/x.txt", "docs/a.txt"):
        caret.write(repo, key, key.encode(), message=f"write {key}")
    caret.write(repo, "docs/new.txt", b"new", message="one more")
    root.visit(f"/repos/{repo}")
    assert names(root) == ["docs/", "b.txt"]
    root.link("docs/").click()
    root.shows("one more")
    assert names(root) == ["deep/", "a.txt", "new.txt"]
    assert not root.all(".past")
    root.fill(rev="HEAD^")
    root.button("Show").click()
    root.shows("Read-only")
    assert names(root) == ["deep/", "a.txt"]
    assert root.find("input[name=rev]").get_attribute("value") == "HEAD^"
    assert not root.all("#upload")
    root.link("deep/").click()
    root.link("x.txt").click()
    root.shows("docs/deep/x.txt")
    assert root.heading == "x.txt"
    assert not root.all(".danger")
    root.link("docs").click()
    root.until(lambda: names(root) == ["deep/", "a.txt"], "the folder, as it was")
    root.link("To HEAD of main").click()
    root.until(lambda: names(root) == ["deep/", "a.txt", "new.txt"], "the folder, as it is")
    root.fill(starts="ne")
    root.button("Jump").click()
    root.until(lambda: names(root) == ["new.txt"], "what begins so")


def test_a_revision_that_is_none_is_told_beside_it(root: Browser, caret: Client, repo: str) -> None:
    root.visit(f"/repos/{repo}?rev=nothing~1")
    assert root.find(".problem").text
    assert root.find("input[name=rev]").get_attribute("value") == "nothing~1"
    assert all("404" in complaint for complaint in root.console())


def test_dropped_files_are_one_commit(root: Browser, caret: Client, repo: str, tmp_path: Path) -> None:
    before = caret.get_branch(repo, "main").head.id
    large = bytes(range(256)) * 20_000
    (tmp_path / "large.bin").write_bytes(large)
    root.visit(f"/repos/{repo}?prefix=in/")
    root.driver.execute_script(
        """const data = new DataTransfer();
        data.items.add(new File(["dropped"], arguments[0], {type: "text/x-dropped"}));
        for (const kind of ["dragover", "drop"])
          document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));""",
        'an "odd" <name> %2F ✓.txt',
    )
    root.shows("1 file,")
    root.find("#files").send_keys(str(tmp_path / "large.bin"))
    root.shows("2 files,")
    root.fill(message="Two files")
    root.button("Upload").click()
    root.shows("Done, by the commit")
    assert sorted(names(root)) == ['an "odd" <name> %2F ✓.txt', "large.bin"]
    head = caret.get_branch(repo, "main").head
    assert (head.message, head.changes, head.parents) == ("Two files", 2, [before])
    assert root.link(head.id[:10]).get_attribute("href") == f"{root.base}/repos/{repo}/commits/{head.id}?branch=main"
    with caret.read(repo, "in/large.bin") as content:
        assert content.read() == large
    assert caret.stat(repo, 'in/an "odd" <name> %2F ✓.txt').headers["content-type"] == "text/x-dropped"


def test_a_cancelled_upload_leaves_nothing(root: Browser, caret: Client, repo: str, tmp_path: Path) -> None:
    before = caret.get_branch(repo, "main").head.id
    (tmp_path / "slow.bin").write_bytes(bytes(4_000_000))
    (tmp_path / "small.txt").write_bytes(b"small")
    root.visit(f"/repos/{repo}")
    slowly = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    root.driver.execute_cdp_cmd("Network.enable", {})
    root.driver.execute_cdp_cmd("Network.emulateNetworkConditions", slowly)
    try:
        root.find("#files").send_keys(f"{tmp_path / 'slow.bin'}\n{tmp_path / 'small.txt'}")
        root.button("Upload").click()
        root.shows("sent")
        assert len(list(caret.transactions(repo))) == 1
        root.button("Cancel").click()
        root.shows("Nothing was uploaded.")
    finally:
        root.driver.execute_cdp_cmd("Network.disable", {})
    assert list(caret.transactions(repo)) == []
    assert caret.get_branch(repo, "main").head.id == before


def test_contents_are_previewed(root: Browser, caret: Client, repo: str) -> None:
    caret.write(repo, "a.txt", "\nfirst ✓\nsecond <b>".encode(), metadata={"colour": "green"}, message="text")
    caret.write(repo, "a.png", PNG, content_type="text/html")
    caret.write(repo, "a.csv", b"name,age\nann,31\n<i>ben</i>,\n")
    caret.write(repo, "a.bin", b"\x00\x01\x02\xff" * 200)
    root.visit(object_page(repo, "a.txt"))
    assert root.find(".lines").text.splitlines()[-2:] == ["first ✓", "second <b>"]
    assert root.find(".numbers").text.split() == ["1", "2", "3"]
    root.shows("colour")
    root.visit(object_page(repo, "a.png"))
    image = root.find(".image img")
    root.until(lambda: image.get_property("naturalWidth") == 2, "the image")
    root.visit(object_page(repo, "a.csv"))
    assert [cell.text for cell in root.all(".data td")] == ["1", "ann", "31", "2", "<i>ben</i>", ""]
    root.link("as text").click()
    root.shows("name,age")
    root.visit(object_page(repo, "a.bin"))
    root.shows("00 01 02 ff")


def test_the_button_saves_the_file(root: Browser, caret: Client, repo: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5_000
    caret.write(repo, "folder/ünï ✓.html", content, content_type="text/html")
    root.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    root.visit(object_page(repo, "folder/ünï ✓.html"))
    root.link("Download").click()
    saved = tmp_path / "ünï ✓.html"
    until(lambda: saved.exists() and saved.read_bytes() == content, 10, f"the file among {list(tmp_path.iterdir())}")


def test_a_hostile_key_is_only_text(root: Browser, visitor: Visitor, caret: Client, repo: str) -> None:
    caret.write(repo, HOSTILE, b"content", message="<script>alert(2)</script>")
    root.visit(f"/repos/{repo}?prefix=odd/%3Cscript%3Ealert(1)%3C/")
    assert len(names(root)) == 1
    root.find(".files td.name a").click()
    root.shows("Written by")
    assert HOSTILE.rpartition("/")[2] in root.heading
    reply = visitor.ask("GET", f"/repos/{repo}/download?{urlencode({'key': HOSTILE})}")
    assert reply.body == b"content"
    assert reply.headers["content-disposition"].isascii()
    assert quote(HOSTILE.rpartition("/")[2], safe="") in reply.headers["content-disposition"]
    root.button("Delete").click()
    root.driver.switch_to.alert.accept()
    root.shows("Nothing is here yet")
    assert [change.key for change in caret.show(repo, "HEAD").changes] == [HOSTILE]


def test_what_is_deleted_is_restored_from_its_versions(root: Browser, caret: Client, repo: str) -> None:
    caret.write(repo, "f/k.txt", b"one", content_type="text/x-one", message="first")
    caret.write(repo, "f/k.txt", b"two!", message="second")
    root.visit(object_page(repo, "f/k.txt"))
    root.button("Delete").click()
    root.driver.switch_to.alert.accept()
    root.shows("Done, by the commit")
    with pytest.raises(Refusal, match="NoSuchKey"):
        caret.stat(repo, "f/k.txt")
    root.visit(object_page(repo, "f/k.txt"))
    root.shows("deleted")
    assert any("404" in complaint for complaint in root.console())
    assert [row.text.split()[1] for row in root.all("tbody tr")] == ["delete", "second", "first"]
    root.all("tbody tr")[2].find_element("tag name", "button").click()
    root.driver.switch_to.alert.accept()
    root.shows("Done, by the commit")
    assert root.find(".lines").text == "one"
    assert caret.stat(repo, "f/k.txt").headers["content-type"] == "text/x-one"


def test_a_folder_of_thousands_is_quick(root: Browser, caret: Client, console: Server, repo: str) -> None:
    with closing(open_store(StoreConfig(console.data))) as store:
        stage = store.stage()
        stage.write(b"x")
        content = stage.finish()
        many = [Put(f"many/{number:05}", content) for number in range(MANY)]
        store.commit(store.branch("default", repo), many, author="root", message="many").result()
    began = time.monotonic()
    root.visit(f"/repos/{repo}?prefix=many/")
    assert (len(names_fast(root)), names_fast(root)[0]) == (500, "00000")
    assert time.monotonic() - began < 5
    root.link("Next page").click()
    root.until(lambda: names_fast(root)[0] == "00500", "the second page")
    root.fill(starts="0310")
    root.button("Jump").click()
    root.until(lambda: names_fast(root)[0] == "03100", "what begins so")
    assert len(names_fast(root)) == 10


def names_fast(browser: Browser) -> list[str]:
    """In one question to the browser."""
    script = "return [...document.querySelectorAll('.files td.name')].map((cell) => cell.innerText)"
    found: list[str] = browser.driver.execute_script(script)
    return found


def test_repos_are_made_and_found(root: Browser, caret: Client) -> None:
    for name in ("zebra-1", "zebra-2", "zeal"):
        caret.create_repo(name)
    root.visit("/repos")
    root.fill(begins="zebra")
    root.button("Find").click()
    root.until(lambda: [link.text for link in root.all("tbody td:first-child")] == ["zebra-1", "zebra-2"], "two repos")
    root.fill(name="zebra-1")
    root.button("Make it").click()
    root.find(".problem")
    assert root.find("[name=name]").get_attribute("value") == "zebra-1"
    root.fill(name="zebra-3", default_branch="trunk")
    root.button("Make it").click()
    root.shows("Nothing is here yet")
    assert caret.default_branch("zebra-3") == "trunk"
    assert all("409" in complaint for complaint in root.console())


# ---------------------------------------------------------------- without a browser


def test_many_repos_are_pages(visitor: Visitor, caret: Client) -> None:
    made = [f"pages-{number:02}" for number in range(60)]
    for name in made:
        caret.create_repo(name)
    found = []
    path = "/repos?begins=pages-"
    while path:
        page = visitor.ask("GET", path).text
        found += re.findall(r'<tr><td><a href="/repos/([^"]+)"', page)
        following = re.search(r'<a class="button" href="([^"]+)">Next page', page)
        path = html.unescape(following[1]) if following else ""
    assert found == made


def test_a_download_is_byte_for_byte_in_parts_too(visitor: Visitor, caret: Client, repo: str) -> None:
    content = bytes(range(256)) * 12_000
    caret.write(repo, "d.html", content, content_type="text/html")
    path = f"/repos/{repo}/download?key=d.html"
    whole = visitor.ask("GET", path)
    assert whole.body == content
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.headers["content-disposition"].startswith('attachment; filename="d.html"')
    assert "sandbox" in whole.headers["content-security-policy"]
    assert whole.headers["x-content-type-options"] == "nosniff"
    head = visitor.ask("HEAD", path)
    assert (head.body, head.headers["content-length"]) == (b"", str(len(content)))
    part = visitor.ask("GET", path, headers={"Range": "bytes=100-299"})
    assert (part.status, part.body) == (206, content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(content)}"
    fresh = visitor.ask("GET", path, headers={"Range": "bytes=0-1", "If-Range": whole.headers["etag"]})
    assert fresh.status == 206
    stale = visitor.ask("GET", path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (stale.status, stale.body) == (200, content)
    assert visitor.ask("GET", path, headers={"Range": "bytes=9000000-"}).status == 416


def test_only_images_are_drawn(visitor: Visitor, caret: Client, repo: str) -> None:
    caret.write(repo, "evil.png", b"<script>alert(1)</script>", content_type="image/png")
    caret.write(repo, "evil.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg+xml")
    caret.write(repo, "real", PNG, content_type="text/html")
    for key in ("evil.png", "evil.svg"):
        assert visitor.ask("GET", f"/repos/{repo}/image?key={key}").status == 415
    drawn = visitor.ask("GET", f"/repos/{repo}/image?key=real")
    assert (drawn.body, drawn.headers["content-type"]) == (PNG, "image/png")
    assert "sandbox" in drawn.headers["content-security-policy"]


def test_nothing_is_changed_without_the_token_or_in_the_past(visitor: Visitor, caret: Client, repo: str) -> None:
    first = caret.write(repo, "k", b"one")
    forged = ("/repos", "delete"), (f"/repos/{repo}/object/delete", "k"), (f"/repos/{repo}/object/restore", "k")
    for path, key in forged:
        assert visitor.post(path, {"csrf": "wrong", "name": key, "key": key, "version": first}).status == 403
    for method, path in [("POST", "uploads?branch=main"), ("PUT", "uploads/tx-0?key=k"), ("DELETE", "uploads/tx-0")]:
        assert visitor.ask(method, f"/repos/{repo}/{path}", b"x").status == 403
    assert visitor.post(f"/repos/{repo}/object/restore", {"key": "k", "version": f"{first}\r\nx: y"}).status == 400
    assert caret.get_branch(repo, "main").head.id == first


def test_what_others_have_written_meanwhile_stays(visitor: Visitor, caret: Client, repo: str) -> None:
    first = caret.write(repo, "k", b"one")
    seen = caret.stat(repo, "k").etag
    second = caret.write(repo, "k", b"two")
    assert visitor.post(f"/repos/{repo}/object/delete", {"key": "k", "holds": seen}).status == 412
    assert visitor.post(f"/repos/{repo}/object/restore", {"key": "k", "version": first, "holds": seen}).status == 412
    assert visitor.post(f"/repos/{repo}/object/restore", {"key": "k", "version": first}).status == 412
    assert (
        visitor.post(f"/repos/{repo}/object/restore", {"key": "k", "version": first, "holds": '"\r\nx: y'}).status
        == 400
    )
    assert caret.get_branch(repo, "main").head.id == second


def test_to_delete_no_key_deletes_no_branch(visitor: Visitor, caret: Client, repo: str) -> None:
    first = caret.write(repo, "k", b"one")
    assert visitor.post(f"/repos/{repo}/object/delete", {"key": ""}).status == 400
    assert visitor.post(f"/repos/{repo}/object/restore", {"key": "", "version": first}).status == 400
    assert caret.get_branch(repo, "main").head.id == first


def test_the_strangest_addresses_are_answered(visitor: Visitor, caret: Client, repo: str) -> None:
    caret.write(repo, "k", b"one")
    for query in (
        "rev=%00",
        "rev=%FF%FE",
        "branch=%0d%0ax",
        "rev=HEAD~99999999999",
        "branch=../x",
        f"rev={'f' * 4000}",
    ):
        assert 400 <= visitor.ask("GET", f"/repos/{repo}?{query}").status < 500, query
    for query in ("key=", "key=%00", f"key={'k' * 2000}", "key=absent", "key=k&rev=@x"):
        for page in ("object", "download", "image"):
            assert 400 <= visitor.ask("GET", f"/repos/{repo}/{page}?{query}").status < 500, (page, query)
    for query in ("prefix=//", "after=%00", "starts=%F0%9F%98%80", "prefix=k%0A/", "committed=%3Cb%3E"):
        assert visitor.ask("GET", f"/repos/{repo}?{query}").status == 200, query
    assert visitor.ask("GET", "/repos/nobody-s/object?key=k").status == 404


def test_an_upload_whose_browser_vanishes_is_gone(visitor: Visitor, caret: Client, console: Server, repo: str) -> None:
    headers = {"X-CSRF-Token": visitor.csrf}
    begun = visitor.ask("POST", f"/repos/{repo}/uploads?branch=main", headers=headers).json()["id"]

    sent = {**headers, "Content-Length": "100000"}
    visitor.break_off(f"/repos/{repo}/uploads/{begun}?key=half", sent, b"half")
    assert visitor.ask("PUT", f"/repos/{repo}/uploads/{begun}?key=whole", b"whole", headers).status == 201
    until(lambda: not console.files("tmp"), 5, "the half to be gone")
    done = visitor.ask("POST", f"/repos/{repo}/uploads/{begun}/commit", b'{"message": "m"}', headers).json()
    assert [change.key for change in caret.show(repo, done["commit_id"]).changes] == ["whole"]
