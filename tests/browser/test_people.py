"""The pages for people: root makes a project and a person, who logs in with her device and sees what is hers."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pyotp
import segno
from selenium.webdriver.support.select import Select

from gateway.access.directory import Directory
from gateway.access.model import OPEN
from gateway.access.rights import Right
from gateway.client import Client
from tests.integration.server import Server, wait_for_news

from .browser import Browser

PASSWORD = "correct horse battery"


def go(browser: Browser, section: str) -> None:
    browser.link(section).click()
    browser.until(lambda: browser.heading.startswith(section), f"the section {section}")


def leave(browser: Browser) -> None:
    browser.button("Log out").click()
    browser.until(lambda: browser.heading == "Log in", "the login")


def test_root_makes_a_project_and_a_person_who_logs_in_and_is_sent_away_again(
    root: Browser, console: Server, caret: Client
) -> None:
    browser = root
    go(browser, "Projects")
    browser.fill(name="lab-7", hours="2")
    browser.find("[name=two_factors]").click()
    browser.button("Make the project").click()
    browser.shows("The project was made.")
    project = caret.get_project("lab-7")
    assert (project.requires_session, project.max_session_s, project.export_buckets) == (True, 7200, "all")

    go(browser, "People")
    browser.fill(name="mia", display_name="Mia <b>Lund</b>", password=PASSWORD)
    Select(browser.find("[name=project]")).select_by_visible_text("lab-7")
    browser.find("[name=right][value=member]").click()
    browser.button("Make the user").click()
    browser.shows("The user was made.")
    assert browser.heading == "Mia <b>Lund</b>"

    browser.button("Enrol a device").click()
    secret = browser.find(".secret").text
    uri = browser.find("svg.qr title").get_attribute("textContent") or ""
    assert parse_qs(urlsplit(uri).query)["secret"] == [secret]
    (drawn,) = browser.all("svg.qr path[stroke]")
    assert f'd="{drawn.get_attribute("d")}"' in segno.make(uri, micro=False, error="m").svg_inline()
    assert secret not in browser.driver.current_url

    leave(browser)
    browser.log_in("mia", PASSWORD, pyotp.TOTP(secret).now())
    assert "lab-7" in browser.find(".who").text
    assert [link.text for link in browser.all("header nav a")] == ["Repos"]
    browser.visit("/people")
    browser.shows("People and projects are for administrators")
    browser.visit("/audit")
    browser.shows("for administrators")
    assert [it for it in browser.console() if "403" not in it] == []

    (session,) = caret.list_sessions(user="mia").sessions
    caret.end_session(session.access_key)
    wait_for_news()
    browser.link("Repos").click()
    browser.until(lambda: browser.heading == "Log in", "the login")

    browser.log_in(console.access_key, console.secret_key)
    browser.visit("/audit?who=mia")
    assert [cell.text for cell in browser.all("tbody td:nth-child(5)")] == ["SearchAudit", "list_users", "ConsoleLogin"]
    assert browser.all("tbody td:nth-child(6)")[0].text == "refused Forbidden"
    browser.visit("/audit?operation=enrol_totp")
    browser.find("details summary").click()
    assert secret not in browser.driver.page_source
    assert '"user": "mia"' in browser.find("details pre").text
    browser.button("Verify the chain").click()
    browser.shows("The log is whole")


def test_whoever_knows_his_password_and_a_code_changes_both_and_goes_to_his_other_project(
    browser: Browser, people: Directory
) -> None:
    for project in ("north", "south"):
        people.create_project(project, OPEN)
    people.create_user("noa", password=PASSWORD, project="north", rights=frozenset({Right.MEMBER}))
    people.grant("south", "noa", Right.ADMIN)
    browser.log_in("noa", PASSWORD, pyotp.TOTP(people.enrol_totp("noa")).now(), "north")

    browser.find(".who a").click()
    browser.shows("Here as")
    browser.button("Switch").click()
    browser.shows("You are in this project now.")
    assert "south" in browser.find(".who").text
    assert [(session.project, session.rights) for session in people.sessions(user="noa")] == [
        ("south", frozenset({Right.ADMIN}))
    ]
    go(browser, "Projects")
    assert [cell.text for cell in browser.all("tbody td:first-child")] == ["south"]
    go(browser, "Audit")
    assert [cell.text for cell in browser.all("tbody td:nth-child(5)")][:2] == ["SearchAudit", "ConsoleSwitch"]
    assert {cell.text for cell in browser.all("tbody td:nth-child(3)")} == {"south"}
    assert not browser.driver.find_elements("xpath", "//button[.='Verify the chain']")

    def change(code: str) -> None:
        browser.visit("/me")
        browser.fill(code=code, new="another secret", again="another secret")
        browser.find("[name=password]").send_keys(PASSWORD)
        browser.button("Change the password").click()

    change("000000")
    browser.shows("is wrong")
    assert [it for it in browser.console() if "403" not in it] == []
    device = pyotp.TOTP(people.enrol_totp("noa"))
    change(device.now())
    browser.shows("Your password was changed.")

    device = pyotp.TOTP(people.enrol_totp("noa"))
    form = "form[action='/me/device']"
    browser.find(f"{form} [name=password]").send_keys("another secret")
    browser.find(f"{form} [name=code]").send_keys(device.now())
    browser.button("Show the QR code").click()
    browser.driver.switch_to.alert.accept()
    device = pyotp.TOTP(browser.find(".secret").text)
    leave(browser)
    browser.log_in("noa", "another secret", device.now(), "south")
