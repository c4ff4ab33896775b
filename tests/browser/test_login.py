"""Logging in and out, and what nobody else can make a logged-in browser do."""

from __future__ import annotations

import pyotp

from gateway.access.directory import Directory
from gateway.access.rights import Right
from gateway.client import Client
from tests.integration.server import Server

from .browser import Browser


def test_root_logs_in_with_his_keys_and_out_again(browser: Browser, console: Server) -> None:
    browser.visit("/repos")
    assert browser.heading == "Log in"
    browser.fill(name=console.access_key, password=console.secret_key)
    browser.button("Log in").click()
    browser.button("Log out")
    assert (browser.heading, browser.path) == ("Repos", "/repos")
    browser.button("Log out").click()
    browser.shows("Log in")
    browser.visit("/repos")
    assert browser.heading == "Log in"


def test_people_log_in_with_password_and_code_and_see_what_is_theirs(
    browser: Browser, console: Server, people: Directory, caret: Client
) -> None:
    caret.create_repo("of-root")
    people.create_project("trial", people.project("default").policy)
    people.create_user("ann", password="correct horse", project="trial", rights=frozenset({Right.MEMBER}))
    totp = pyotp.TOTP(people.enrol_totp("ann"))
    browser.log_in("ann", "correct horse", totp.now())
    assert "ann" in browser.text
    assert "trial" in browser.text
    assert "of-root" not in browser.text


def test_a_wrong_secret_is_refused_and_named_nowhere(browser: Browser, console: Server) -> None:
    browser.visit("/login")
    browser.fill(name=console.access_key, password="not the secret")
    browser.button("Log in").click()
    browser.shows("is wrong")
    assert "not the secret" not in browser.driver.page_source
    assert all("401" in complaint for complaint in browser.console())
