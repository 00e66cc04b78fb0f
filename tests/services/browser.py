"""A headless Chromium, driven by Playwright, that is logged in to a live Airflow."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.services.airflow import LiveAirflow

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox: it does not work as root. The rest keeps Chromium from talking to hosts that no test needs.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VIEWPORT = (1440, 900)
ACTION_SECONDS = 20
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


def ensure_chromium() -> Path | None:
    """The system's Chromium or Chrome; None if there is only the one that `playwright install chromium` fetched.

    If there is neither and this is root on a machine with apt-get, Debian's is installed.

    Raises:
        AssertionError: there is none and it cannot be installed; the message says what to install.
    """
    if found := _find_chromium():
        return found
    if _has_playwright_browser():
        return None
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    found = _find_chromium()
    assert found, "Chromium is missing: apt-get install chromium, or playwright install chromium"
    return found


def _find_chromium() -> Path | None:
    paths = (shutil.which(name) for name in NAMES)
    return next((Path(path) for path in paths if path), None)


def _has_playwright_browser() -> bool:
    cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright"
    return any(Path(cache).glob("chromium-*"))


@contextlib.contextmanager
def chromium() -> Iterator["Browser"]:
    """A running headless Chromium.

    While it runs, Playwright keeps an event loop in this thread: `asyncio.run` cannot be called in it.
    """
    from playwright.sync_api import sync_playwright

    program = ensure_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(program) if program else None, headless=True, args=list(ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def logged_in_page(browser: "Browser", airflow: LiveAirflow, username: str = "admin") -> Iterator["Page"]:
    """A page in a fresh browser context that has the user's token cookie; relative addresses are Airflow's.

    Args:
        browser: from `chromium` or the fixture `browser`.
        airflow: where to log in.
        username: `admin` or `viewer`.
    """
    api = airflow.login(username)
    api.close()
    width, height = VIEWPORT
    with contextlib.closing(
        browser.new_context(base_url=airflow.base_url, viewport={"width": width, "height": height})
    ) as context:
        context.add_cookies([{"name": "_token", "value": api.token, "url": airflow.base_url}])
        context.set_default_timeout(ACTION_SECONDS * 1000)
        yield context.new_page()


def screenshot(page: "Page", name: str, *, full_page: bool = False) -> Path:
    """Save what the page shows as `build/screenshots/<name>.png`; the path."""
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=full_page, animations="disabled")
    return path
