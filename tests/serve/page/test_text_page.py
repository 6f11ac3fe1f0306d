"""The page of a model of texts in several columns."""

import re

from playwright.sync_api import expect
from serving import in_thread
from text_models import serve_texts

from hashslide import SlideClassifier, SlideTextClassifier
from hashslide.serve._models import ServedModel


def test_columns_have_boxes_and_labels_have_examples(open_page, pubmed_small, tmp_path):
    served, model = serve_texts(pubmed_small, tmp_path)
    with in_thread(served) as server:
        page = open_page(of=server)
        page.get_by_label("title").press_sequentially("insulin rats")
        page.get_by_label("body").press_sequentially("glucose blood")
        texts = {"title": ["insulin rats"], "body": ["glucose blood"]}
        labels = model.predict_topk(texts, k=10, probabilities=True)[0][0]
        expect(page.locator("#results .label")).to_have_text(labels.tolist())
        page.keyboard.press("Enter")
        details = page.locator(".details:visible")
        expect(details.locator(".examples li")).to_have_text(model.examples_of(labels[:1])[0])


def test_unknown_words_are_named_and_reasons_are_words(open_page, pubmed_small, tmp_path):
    served, _ = serve_texts(pubmed_small, tmp_path)
    with in_thread(served) as server:
        page = open_page(of=server)
        page.get_by_label("title").press_sequentially("insulin xyzzy")
        expect(page.locator("#unknown")).to_have_text("The model does not know the words: xyzzy")
        page.locator("#results button", has_text=re.compile(r"^Insulin\s*\d")).click()
        words = page.locator(".details:visible .reasons dt").all_inner_texts()
        assert words and all(word in ("title: insulin", "title: xyzzy") for word in words)


def test_labels_texts_and_columns_are_shown_as_they_are(open_page, tmp_path):
    hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    texts = {f"title {hostile}": [f"red shoes {hostile}", "blue wine"], "body": ["", "</script><b>wine"]}
    labels = [[f"shoes {hostile}"], ["javascript:document.title=3"]]
    SlideTextClassifier(SlideClassifier(4, epochs=3, ranker=True), keep_examples=1).fit(texts, labels).save(
        tmp_path / "<b>m.hashslide"
    )
    with in_thread(ServedModel.load(tmp_path / "<b>m.hashslide", jobs=1)) as server:
        page = open_page(of=server)
        page.locator("#q").fill(f"shoes {hostile}")
        expect(page.locator("#results .label").first).to_have_text(re.compile(re.escape(hostile)))
        page.keyboard.press("Enter")
        expect(page.locator(".details:visible .examples li")).to_have_text(f"red shoes {hostile}")
        expect(page.locator("#q-label")).to_have_text(f"title {hostile}")
        page.get_by_role("tab", name="Model").click()
        assert page.title().startswith("<b>m ")
        assert page.locator("main img, main script, main b").count() == 0
