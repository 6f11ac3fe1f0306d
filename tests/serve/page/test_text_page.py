"""The page of a model of texts in several columns."""

from playwright.sync_api import expect
from serving import in_thread
from text_models import serve_texts


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
        page.keyboard.press("Enter")
        words = page.locator(".details:visible .reasons dt").all_inner_texts()
        assert words and all(word in ("title: insulin", "title: xyzzy") for word in words)
