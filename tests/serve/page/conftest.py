"""A real browser."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser():
    """Chromium, as the system has it: ``make browser`` installs it on Debian."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = f"there is no browser ({', '.join(NAMES)}): run make browser"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser, server):
    """Opens a page of the server; at the end nothing may have gone wrong or have come from elsewhere."""
    contexts, faults = [], []

    def opened(path="/", of=server, **options):
        context = browser.new_context(base_url=of.address, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.faults = faults
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on(
            "request",
            lambda request: None if request.url.startswith(of.address) else faults.append(request.url),
        )
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults
