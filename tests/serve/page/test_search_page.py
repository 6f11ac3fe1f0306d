"""The page in a browser: it answers while somebody types, by keyboard alone, and says why."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from serving import in_thread

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


@pytest.fixture
def page(open_page):
    page = open_page()
    expect(page.locator("#hint")).to_contain_text("Begin to type")
    return page


def labels(page):
    return page.locator("#results .label").all_inner_texts()


def search(page, text="rats insulin"):
    page.locator("#q").press_sequentially(text)
    expect(page.locator(".result")).to_have_count(10)
    page.wait_for_function(
        f"document.querySelector('#took').textContent && location.hash === '#q={text.replace(' ', '+')}'"
    )


def test_labels_appear_while_somebody_types(page, server):
    page.locator("#q").press_sequentially("rats insuli")
    expect(page.locator(".result")).to_have_count(10)
    expect(page.locator("#unknown")).to_contain_text("insuli")
    page.locator("#q").press_sequentially("n")
    expect(page.locator("#unknown")).to_be_hidden()
    found = server.client.get("/v1/search?q=rats+insulin").json()["labels"]
    page.wait_for_function(f"document.querySelector('.label').textContent === {found[0]['label']!r}")
    assert labels(page) == [one["label"] for one in found]
    shown = page.locator(".result .score").first.inner_text()
    assert shown == ("> 99.9 %" if found[0]["score"] > 0.9995 else f"{found[0]['score'] * 100:.1f} %")
    widths = page.locator(".result > button > .bar > span").evaluate_all(
        "bars => bars.map(bar => bar.style.width)"
    )
    assert [float(width[:-1]) for width in widths] == [
        pytest.approx(100 * one["score"], abs=0.01) for one in found
    ]
    assert re.fullmatch(
        r"\d+ ms, of which the model took [\d.]+ ms \(approximate\)", page.locator("#took").inner_text()
    )


def test_it_can_be_used_by_keyboard_alone(page):
    search(page)
    focused = page.locator(":focus")
    page.keyboard.press("ArrowDown")
    expect(focused).to_contain_text(labels(page)[0])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(focused).to_contain_text(labels(page)[2])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".details:visible")).to_have_count(1)
    page.keyboard.press("End")
    expect(focused).to_contain_text(labels(page)[9])
    page.keyboard.press("Escape")
    expect(page.locator(".details:visible")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".result").first.locator(".details")).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#q")).to_have_value("")
    expect(page.locator(".result")).to_have_count(0)


def test_it_says_which_words_spoke_for_a_label(page, server):
    search(page)
    found = server.client.get("/v1/search?q=rats+insulin").json()["labels"]
    place = next(i for i, one in enumerate(found) if one["why"])
    page.locator(".result button").nth(place).click()
    details = page.locator(".details:visible")
    expect(details).to_contain_text("What spoke for it")
    assert details.locator("dt").all_inner_texts() == [one["feature"] for one in found[place]["why"]]
    assert details.locator(".number").first.inner_text() == f"+{found[place]['why'][0]['amount']:.2f}"


def test_exact_and_approximate_can_be_compared(page, server):
    search(page)
    switch = page.get_by_role("switch", name="Approximate")
    expect(switch).to_be_checked()
    switch.press("Space")
    expect(page.locator("#took")).to_contain_text("(exact)")
    found = server.client.get("/v1/search?q=rats+insulin&approximate=no").json()["labels"]
    assert labels(page) == [one["label"] for one in found]


def test_a_search_has_an_address(page, open_page):
    search(page)
    again = open_page(f"/{page.url.partition('/#')[2] and '#q=rats+insulin'}")
    expect(again.locator(".result")).to_have_count(10)
    assert labels(again) == labels(page)


def test_screen_readers_are_told(page):
    search(page)
    expect(page.locator("#status")).to_have_text(re.compile(r"10 labels\. The best is .+, [\d.<> ]+ %\."))
    expect(page.get_by_role("searchbox", name=re.compile("Search [0-9,]+ labels"))).to_be_visible()
    expect(page.get_by_role("list", name="Labels, best first").get_by_role("listitem")).to_have_count(10)
    first = page.get_by_role("list", name="Labels, best first").get_by_role("button").first
    assert first.inner_text().startswith(labels(page)[0])


def test_words_are_shown_as_they_are(page):
    page.locator("#q").fill("rats <b>bold</b> <img src=x>")
    expect(page.locator("#unknown")).to_contain_text("<b>bold</b>, <img, src=x>")
    assert page.locator("#unknown *").count() == 0


def test_the_other_tab_shows_the_model(page, classifier):
    page.locator("#tab-search").press("ArrowRight")
    expect(page.locator("#tab-model")).to_be_focused()
    view = page.get_by_role("tabpanel", name="Model")
    expect(view).to_be_visible()
    expect(page.locator("#view-search")).to_be_hidden()
    assert f"{len(classifier.classes_):,}" in view.locator(".facts").inner_text()
    charts = view.get_by_role("img")
    assert [chart.get_attribute("aria-label").split(" of ")[0] for chart in charts.all()] == [
        "loss",
        "validation nDCG@5",
        "validation P@1",
    ]
    assert charts.first.locator("circle").count() == len(classifier.history_)
    rows = view.locator("section[aria-label^=Settings] tbody tr")
    assert rows.count() == len(classifier.settings_)
    assert str(classifier.settings_["epochs"].reason) in view.inner_text()
    most = classifier.classes_[classifier.network_.label_counts.argmax()]
    assert view.locator("section[aria-label^='Labels with'] dt").first.inner_text() == most
    assert "network.output.weight" in view.inner_text()


def test_trouble_is_told_and_passes(page):
    search(page)
    page.context.set_offline(True)
    page.locator("#q").press_sequentially(" mice")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    page.context.set_offline(False)
    page.locator("#q").press_sequentially(" ")
    expect(page.get_by_role("alert")).to_be_hidden()
    assert all("ERR_INTERNET_DISCONNECTED" in fault for fault in page.faults)
    page.faults.clear()
    page.locator("#q").fill("x " * 1001)
    expect(page.get_by_role("alert")).to_contain_text("it has 1,001 words; accepted are up to 1,000")
    assert all("422" in fault for fault in page.faults)
    page.faults.clear()


def test_a_token_is_asked_for(open_page, served):
    with in_thread(served, tokens=("correct-horse-battery",)) as guarded:
        page = open_page(of=guarded)
        page.get_by_label("This server wants a token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#token-form")).to_be_visible()
        page.get_by_label("This server wants a token").fill("correct-horse-battery")
        page.keyboard.press("Enter")
        expect(page.locator("#token-form")).to_be_hidden()
        search(page)
        assert all("401" in fault for fault in page.faults)
        page.faults.clear()


def test_the_documentation_lists_and_tries_everything(open_page, server):
    page = open_page("/docs")
    operations = page.locator(".operation")
    expect(operations.first).to_be_visible()
    paths = server.client.get("/openapi.json").json()["paths"]
    assert operations.count() == sum(map(len, paths.values()))
    predict = operations.filter(has_text="/v1/predict")
    predict.locator("summary").click()
    expect(predict).to_contain_text("integer, at least 1, at most 50, default 5")
    predict.get_by_role("button", name="Send").click()
    expect(predict.get_by_role("region", name="Answer")).to_contain_text('"predictions"')
    search_form = operations.filter(has_text="/v1/search")
    search_form.locator("summary").click()
    search_form.get_by_label("q", exact=True).fill("rats")
    search_form.get_by_role("button", name="Send").click()
    expect(search_form.get_by_role("region", name="Answer")).to_contain_text("200")


def test_nothing_may_come_from_elsewhere(server):
    policy = server.client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["empty", "found", "model", "docs"])
def test_accessibility(open_page, scheme, view):
    page = open_page("/docs" if view == "docs" else "/", color_scheme=scheme)
    if view == "docs":
        page.locator(".operation summary").first.click()
    elif view == "found":
        expect(page.locator("#hint")).to_contain_text("Begin")
        search(page)
        page.keyboard.press("Enter")
    elif view == "model":
        page.locator("#tab-model").click()
        expect(page.locator(".chart").first).to_be_visible()
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


@pytest.mark.parametrize("path", ["/#q=rats+insulin", "/docs"])
def test_it_fits_a_phone(open_page, path):
    page = open_page(path, **PHONE)
    expect(page.locator(".result, .operation").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if path != "/docs":
        assert page.locator(".result button").first.bounding_box()["height"] >= 44
        page.locator("#tab-model").tap()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
