"""Sync jobs in the browser: started from the page, watched to the end, cancelled; root's alone."""

from __future__ import annotations

from pathlib import Path

import pyotp
import pytest

from gateway.access.directory import Directory
from gateway.access.rights import Right
from gateway.client import Client

from .browser import Browser


def folder(uploads: Path, name: str, files: int) -> None:
    (uploads / name).mkdir()
    for number in range(files):
        (uploads / name / f"{number}.txt").write_text(f"{name} {number}")


def started(browser: Browser, source: str, dest: str, wait: str) -> None:
    browser.link("Sync").click()
    browser.fill(source=source, dest=dest, wait=wait)
    browser.button("Start").click()
    browser.find("#job")


def percent(browser: Browser) -> int:
    return int(float(browser.find("progress").get_attribute("value") or "0"))


def state(browser: Browser) -> str:
    return browser.find('[data-field="state"]').text


def test_a_job_is_started_and_watched_until_its_bar_is_full(root: Browser, uploads: Path, caret: Client) -> None:
    folder(uploads, "album", 12)
    started(root, "album", "album", "0.3")
    assert root.heading == "album → album"
    root.until(lambda: 0 < percent(root) < 100, "a bar on its way")
    root.shows("left")  # the time that is
    root.until(lambda: state(root) == "success", "the job's success")
    assert percent(root) == 100
    assert "12 of 12" in root.text
    commit = caret.log("album", limit=1).commits[0]
    link = root.find(".notice a")
    assert (link.get_attribute("href") or "").endswith(f"/repos/album/commits/{commit.id}")
    assert len(list(caret.tree("album"))) == 12
    link.click()
    root.shows(commit.message)


def test_a_job_is_cancelled_and_its_bucket_stays_as_it_is(root: Browser, uploads: Path, caret: Client) -> None:
    caret.create_repo("slow")
    caret.write("slow", "there", b"before")
    folder(uploads, "slow", 40)
    started(root, "slow", "slow", "0.3")
    root.until(lambda: percent(root) > 0, "a bar on its way")
    root.button("Cancel").click()
    root.driver.switch_to.alert.accept()
    root.until(lambda: state(root) == "cancelled", "the job's end")
    assert percent(root) < 100
    assert [item if isinstance(item, str) else item.key for item in caret.tree("slow")] == ["there"]


def test_the_list_follows_what_runs(root: Browser, uploads: Path) -> None:
    folder(uploads, "listed", 8)
    started(root, "listed", "listed", "0.2")
    root.visit("/jobs")
    row = root.find('tr[data-state="running"]')
    number = row.get_attribute("data-job")
    root.until(lambda: root.all(f'tr[data-job="{number}"][data-state="success"]'), "the row's success")
    assert "100%" in root.find(f'tr[data-job="{number}"]').text


@pytest.mark.parametrize(
    ("source", "dest", "wait", "told"),
    [
        ("../etc", "bucket", "", "holds '..'"),
        ("/etc", "bucket", "", "absolute"),
        ("album", "No_Bucket", "", "bucket"),
        ("album", "bucket", "soon", "wait"),
        ("albun", "bucket", "", "absent or empty"),
    ],
)
def test_what_cannot_be_is_said_beside_the_form_and_what_was_typed_stays(
    root: Browser, uploads: Path, source: str, dest: str, wait: str, told: str
) -> None:
    root.visit("/jobs")
    root.fill(source=source, dest=dest, wait=wait)
    root.button("Start").click()
    assert told in root.find(".problem").text
    assert root.find("[name=source]").get_attribute("value") == source
    assert all("400" in complaint for complaint in root.console())


def test_a_bucket_is_deleted_by_whoever_says_so(root: Browser, uploads: Path, caret: Client) -> None:
    caret.create_repo("unwanted")
    root.visit("/jobs")
    root.fill(source="nothing", dest="unwanted")
    root.field("Delete the bucket").click()
    root.button("Start").click()
    root.find("#job")
    root.until(lambda: state(root) == "success", "the job's success")
    root.shows("caret branch restore")
    assert "unwanted" not in [repo.name for repo in caret.repos()]


def test_folders_are_offered_and_hostile_names_are_text(root: Browser, uploads: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    folder(uploads, name, 1)
    root.visit("/jobs")
    offered = [option.get_attribute("value") for option in root.all("#folders option")]
    assert name in offered
    started(root, name, "hostile", "")
    root.until(lambda: state(root) == "success", "the job's success")
    assert root.heading == f"{name} → hostile"
    assert root.all("h1 img") == []


def test_jobs_are_roots_alone(browser: Browser, people: Directory) -> None:
    people.create_project("syncless", people.project("default").policy)
    people.create_user("joe", password="correct horse", project="syncless", rights=frozenset({Right.ADMIN}))
    browser.log_in("joe", "correct horse", pyotp.TOTP(people.enrol_totp("joe")).now())
    assert "Sync" not in browser.find("header nav").text
    for path in ("/jobs", "/jobs/1"):
        browser.visit(path)
        assert "root" in browser.find(".problem").text
    assert all("403" in complaint for complaint in browser.console())
