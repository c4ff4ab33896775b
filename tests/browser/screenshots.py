"""Makes the pictures of docs/console.md: `python -m tests.browser.screenshots docs/images`."""

from __future__ import annotations

import contextlib
import math
import struct
import sys
import tempfile
import zlib
from pathlib import Path

from gateway.access.directory import Directory, open_directory
from gateway.access.model import ProjectPolicy
from gateway.access.rights import Right
from gateway.access.vault import open_vault
from gateway.client import Client, Credentials, Reach
from tests.integration.server import Server, free_port, running

from .browser import Browser, programs

WIDE, NARROW = (1280, 860), (400, 820)


def picture(hue: float, size: int = 320) -> bytes:
    """Hills under a sky, as PNG."""
    rows = bytearray()
    for y in range(size):
        rows.append(0)
        for x in range(size):
            hill = size * (0.62 + 0.12 * math.sin(x / 47 + 9 * hue) + 0.05 * math.sin(x / 13))
            light = y / size if y < hill else 0.35 + (y - hill) / size
            colour = (hue, 0.55, 1.0) if y < hill else (0.35, 0.9 - 0.5 * hue, 0.3)
            rows.extend(min(255, int(255 * part * (0.4 + 0.6 * light))) for part in colour)
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def fill(caret: Client) -> None:
    """A repo with branches, merges, a tag and something that conflicts."""

    def write(key: str, body: bytes, message: str, branch: str = "main") -> None:
        caret.write("album", key, body, branch=branch, message=message)

    caret.create_repo("album")
    caret.create_repo("measurements")
    caret.create_repo("website")
    write("README.md", b"# Album\n\nTravels, by year.\n", "Begin with a note")
    for number, place in enumerate(("harbour", "ridge", "valley")):
        write(f"2025/{place}.png", picture(number / 3), f"The {place}")
    caret.create_branch("album", "draft")
    write("captions.csv", b"file,place,who\nharbour.png,Bergen,Ann\nridge.png,Tatra,Ben\n", "Captions", "draft")
    write("README.md", b"# Album\n\nTravels of two, by year.\n", "Say whose travels", "draft")
    caret.create_branch("album", "next-year")
    write("2026/coast.png", picture(0.8), "The coast", "next-year")
    write("2026/notes.txt", b"cold, clear\n", "Notes of the coast", "next-year")
    caret.merge("album", "main", "next-year", message="Take in next year's pictures", fast_forward=False)
    caret.create_tag("album", "v1", message="First edition")
    write("README.md", b"# Album\n\nAll our travels, by year.\n", "Reword the note")
    caret.protect("album", "release-*")


def people(directory: Directory) -> None:
    directory.create_project("p11", ProjectPolicy(requires_session=True))
    for name, shown, right in (("ann", "Ann Berg", Right.ADMIN), ("ben", "Ben Moe", Right.IMPORT)):
        directory.create_user(
            name, display_name=shown, password="correct horse battery", project="p11", rights=frozenset({right})
        )
    directory.create_key("p11", "ben")


class Camera:
    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser, self._folder = browser, folder

    def take(self, name: str, size: tuple[int, int] = WIDE, *, dark: bool = False) -> None:
        driver = self._browser.driver
        look = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", look)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        driver.save_screenshot(str(self._folder / f"{name}.png"))


def sync(browser: Browser, uploads: Path, camera: Camera) -> None:
    for number in range(24):
        (uploads / "station-7").mkdir(exist_ok=True)
        (uploads / "station-7" / f"day-{number:02}.csv").write_text("time,level\n" * 4000)
    browser.visit("/jobs")
    browser.fill(source="station-7", dest="measurements", wait="0.4")
    browser.button("Start").click()
    browser.until(lambda: int(browser.find("[data-field=files_done]").text) >= 8, "a third of it")
    camera.take("job")


def main(folder: Path) -> None:
    found = programs()
    assert found is not None, "apt-get install chromium chromium-driver"
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="caret-pictures-"))
    uploads = place / "uploads"
    server = Server(place / "data", workers=1, console_port=free_port(), options=("--uploads", str(uploads)))
    with running(server):
        with Client(Reach(server.url, Credentials(server.access_key, server.secret_key), server.region)) as caret:
            fill(caret)
        with contextlib.closing(open_directory(server.data, None, open_vault(server.data))) as directory:
            people(directory)
        browser = Browser(*found, place / "profile", server.console_url)
        camera = Camera(browser, folder)
        try:
            browser.log_in(server.access_key, server.secret_key)
            for name, path in (
                ("files", "/repos/album"),
                ("object", "/repos/album/object?key=2025/ridge.png"),
                ("history", "/repos/album/history"),
                ("compare", "/repos/album/compare?before=v1&after=draft&key=README.md"),
                ("merge", "/repos/album/merge?branch=main&rev=draft"),
                ("project", "/projects/p11"),
            ):
                browser.visit(path)
                camera.take(name)
            browser.visit("/repos/album/history")
            camera.take("history-dark", NARROW, dark=True)
            sync(browser, uploads, camera)
            browser.visit("/people/ben")
            browser.button("Enrol a device").click()
            browser.find("svg")
            camera.take("device")
            browser.visit("/audit")
            camera.take("audit", dark=True)
        finally:
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
