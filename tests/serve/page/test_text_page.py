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
        labels = model.classifier_.predict_topk(model.features_.transform(texts), k=10, probabilities=True)[
            0
        ][0]
        page.wait_for_function(
            f"document.querySelector('#results .label')?.textContent === {str(labels[0])!r}"
        )
        expect(page.locator("#results .label")).to_have_text(labels.tolist())
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        details = page.locator(".details:visible")
        expect(details.locator(".examples li")).to_have_text(model.examples_of(labels[:1])[0])
