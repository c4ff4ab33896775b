"""A real Chromium, headless, driven through WebDriver: found on PATH, where Debian's packages put it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

T = TypeVar("T")

_WAIT_S = 20


def programs() -> tuple[str, str] | None:
    """The browser and its driver, None where either is missing."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return (chromium, driver) if chromium and driver else None


class Browser:
    """What tests do in a browser, in words of the page: labels, link texts, headings."""

    def __init__(self, chromium: str, driver: str, profile: Path, base: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in (
            "--headless=new",
            "--no-sandbox",  # CI runs as root
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--window-size=1280,900",
            f"--user-data-dir={profile}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.base = base

    def close(self) -> None:
        self.driver.quit()

    def forget(self) -> None:
        """Logged out, at the log-in."""
        self.visit("/login")  # a page, with its own icon: at what is none the browser asks for favicon.ico, in vain
        self.driver.delete_all_cookies()
        self.console()

    def visit(self, path: str) -> None:
        self.driver.get(f"{self.base}{path}")

    @property
    def path(self) -> str:
        """Of the page shown, with its query."""
        return self.driver.current_url.removeprefix(self.base)

    @property
    def text(self) -> str:
        return self.find("body").text

    @property
    def heading(self) -> str:
        return self.find("h1").text

    def find(self, selector: str) -> WebElement:
        """The first element that matches, once there is one."""
        return self.until(lambda: next(iter(self.all(selector)), None), selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def link(self, text: str) -> WebElement:
        return self.until(lambda: next(iter(self.driver.find_elements(By.LINK_TEXT, text)), None), f"the link {text}")

    def button(self, text: str) -> WebElement:
        path = f"//button[normalize-space()={_quoted(text)}]"
        return self.until(lambda: next(iter(self.driver.find_elements(By.XPATH, path)), None), f"the button {text}")

    def field(self, label: str) -> WebElement:
        """The input, select or textarea whose label begins with this text."""
        inside = "*[self::input or self::select or self::textarea]"
        path = f"//label[starts-with(normalize-space(), {_quoted(label)})]//{inside}"
        return self.until(lambda: next(iter(self.driver.find_elements(By.XPATH, path)), None), f"the field {label}")

    def fill(self, **fields: str) -> None:
        """By the inputs' names."""
        for name, value in fields.items():
            element = self.find(f"[name={name}]")
            element.clear()
            element.send_keys(value)

    def until(self, holds: Callable[[], T | None], what: str) -> T:
        """What `holds()` returns, once that is true; fails naming `what`."""
        try:
            # What is asked while the page changes may be about an element of the one before.
            wait = WebDriverWait(self.driver, _WAIT_S, 0.05, ignored_exceptions=[StaleElementReferenceException])
            found = wait.until(lambda _: holds())
        except TimeoutException as exc:
            raise AssertionError(f"waited in vain for {what}; the page is\n{self.text_now}") from exc
        assert found is not None
        return found

    @property
    def text_now(self) -> str:
        return f"{self.driver.current_url}\n" + "\n".join(element.text for element in self.all("body"))

    def shows(self, text: str) -> None:
        """Waits for the text."""
        self.until(lambda: text in self.text, f"{text!r} on {self.path}")

    def console(self) -> list[str]:
        """What the browser has complained of since the last call: script errors, refusals of the policy."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def log_in(self, name: str, password: str, code: str = "", project: str = "") -> None:
        self.visit("/login")
        self.fill(name=name, password=password, code=code, project=project)
        self.button("Log in").click()
        self.button("Log out")


def _quoted(text: str) -> str:
    assert '"' not in text
    return f'"{text}"'
