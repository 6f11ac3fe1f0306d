"""Why a label: words before pieces of words, and what the model does not know."""

import pytest

from hashslide import SlideClassifier, SlideTextClassifier, TextFeatures

TEXTS = ["red running shoes", "blue suede shoes", "red wine, dry", "white wine"] * 3
LABELS = ["shoes", "shoes", "drinks", "drinks"] * 3


def trained(documents=TEXTS, features=None):
    return SlideTextClassifier(SlideClassifier(ranker=True, random_state=0), features).fit(documents, LABELS)


@pytest.mark.parametrize("features", [None, TextFeatures(0, (3, 4)), TextFeatures(hashed=4096)], ids=str)
def test_pieces_count_for_the_words_that_they_stand_in(features):
    model, question = trained(features=features), ["Red shooes, xyzzy"]
    (raw,), (told,) = model.explain(question, k=1)[0], model.explain(question, k=1, by_word=True)[0]
    assert sum(v for _, v in told.features) == pytest.approx(sum(v for _, v in raw.features))
    assert [abs(v) for _, v in told.features] == sorted((abs(v) for _, v in told.features), reverse=True)
    names = [name for name, _ in told.features]
    pieces = [name for name, _ in raw.features if name.startswith('"')]
    assert pieces and names[0] == "shooes"
    assert all(not name.startswith('"') or "," in name for name in names)


def test_columns_keep_their_pieces_to_themselves():
    model = trained({"title": TEXTS, "body": TEXTS})
    (told,) = model.explain({"title": ["shooes"], "body": ["shooed"]}, k=1, by_word=True)[0]
    assert {name for name, _ in told.features} == {"title: shooes", "body: shooed"}


def test_a_piece_of_two_words_counts_for_both():
    (told,) = trained().explain(["shooes shoer"], k=1, by_word=True)[0]
    amounts = dict(told.features)
    assert amounts.keys() == {"shooes", "shoer"}
    (raw,) = trained().explain(["shooes shoer"], k=1)[0]
    own = dict(raw.features)
    shared = own['" sho"']
    assert amounts["shooes"] == pytest.approx(shared / 2 + own['"oes "'])


@pytest.mark.parametrize(
    ("features", "unknown"),
    [
        (None, ["shooes", "xyzzy", "靴"]),
        (TextFeatures(0, (3, 4)), ["xyzzy", "靴"]),  # "shooes" has pieces that it knows
        (TextFeatures(1, None), ["shooes", "xyzzy", "靴"]),
        (TextFeatures(hashed=4096), []),
    ],
    ids=str,
)
def test_unknown_words_are_named(features, unknown):
    found = trained(features=features).unknown_words(["Red shooes xyzzy 靴, xyzzy", "red", ""])
    assert sorted(found[0]) == unknown and found[1:] == [[], []]


def test_a_word_that_one_column_knows_is_not_unknown():
    model = trained({"title": TEXTS, "body": [""] * len(TEXTS)})
    assert model.unknown_words({"title": ["red xyzzy"], "body": ["red"]}) == [["xyzzy"]]
    assert model.unknown_words({"title": [""], "body": ["red"]}) == [["red"]]


def test_long_documents_have_reasons_too():
    """Words and pieces are not compared each with each: that would take minutes here."""
    words = [
        f"{a}{b}{c}{d}"
        for a in "abcdefghij"
        for b in "klmnopqrst"
        for c in "uvwxyzabcd"
        for d in "efghijklmn"
    ]
    model = trained([" ".join(words[i::12]) for i in range(12)])
    (told,) = model.explain([" ".join(words)], k=1, by_word=True)[0]
    assert not any(name.startswith('"') for name, _ in told.features)
