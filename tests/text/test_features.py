"""Texts as features: against scikit-learn, in all scripts, whatever the threads."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer

import hashslide.text.features as features_module
from hashslide import TextFeatures
from hashslide.errors import InputError
from hashslide.text.documents import encoded_blocks, fold, read_documents

TEXTS = [
    "Red shoes, red SHOES!",
    "the quick brown fox jumps",
    "a b c",
    "",
    "naïve café 12 under_score",
    "  fox\tshoes\u00a03.14\n",
    "C++ and C# for the quick",
    "one",
]


@pytest.fixture(scope="module")
def titles(pubmed):
    """Real words: for each example the names of its features, in an order of their own."""
    rng = np.random.default_rng(0)
    rows = (pubmed.X_train[i].indices for i in range(400))
    return [" ".join(rng.permutation(pubmed.feature_names[row])) for row in rows]


def assert_same_matrix(features, X, vectorizer, expected, name=lambda term: term):
    ours = {name(term): i for i, term in enumerate(features.get_feature_names_out())}
    theirs = vectorizer.get_feature_names_out().tolist()
    assert ours.keys() == set(theirs)
    np.testing.assert_allclose(X.toarray()[:, [ours[t] for t in theirs]], expected.toarray(), atol=1e-6)


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("sublinear", [True, False])
@pytest.mark.parametrize("least", [1, 2])
def test_words_equal_those_of_scikit_learn(titles, words, sublinear, least):
    texts = TEXTS + titles
    features = TextFeatures(words, None, min_documents=least, sublinear=sublinear)
    vectorizer = TfidfVectorizer(
        ngram_range=(1, words), token_pattern=r"\w+", min_df=least, sublinear_tf=sublinear
    )
    X, expected = features.fit_transform(texts), vectorizer.fit_transform(texts)
    assert_same_matrix(features, X, vectorizer, expected)
    new = ["quick red words that nobody has seen", ""]
    np.testing.assert_allclose(
        np.sort(features.transform(new).data), np.sort(vectorizer.transform(new).data), atol=1e-6
    )


@pytest.mark.parametrize("lengths", [(1, 1), (3, 5), (4, 4), (2, 30)])
def test_characters_equal_those_of_scikit_learn(titles, lengths):
    texts = TEXTS + titles[:100]
    features = TextFeatures(0, lengths, min_documents=1)
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=lengths, sublinear_tf=True)
    X, expected = features.fit_transform(texts), vectorizer.fit_transform(texts)
    assert_same_matrix(features, X, vectorizer, expected, lambda term: term[1:-1])


def words_of(text):
    features = TextFeatures(1, None, min_documents=1).fit([text])
    return sorted(features.get_feature_names_out())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我爱你", ["你", "我", "爱"]),
        ("東京タワー tower", ["tower", "タ", "ワ", "ー", "京", "東"]),
        ("I ❤️ NY 🗽🗽", ["i", "ny", "❤", "🗽"]),
        ("👍🏽 ok", ["ok", "👍"]),
        ("สวัสดี", sorted({"ส", "วั", "ดี"})),
        ("हिन्दी भाषा", ["भाषा", "हिन्दी"]),
        ("\u0645\u06cc\u200c\u062e\u0648", ["\u0645\u06cc\u200c\u062e\u0648"]),  # one word in Persian
        ("Straße \uff21\uff22\uff23 \ufb01x", ["abc", "fix", "strasse"]),
        ("re-use it's", ["it", "re", "s", "use"]),
    ],
)
def test_words_of_any_script(text, words):
    assert words_of(text) == sorted(words)


def test_composition_and_case_make_no_difference():
    composed, decomposed = "CAFÉ", unicodedata.normalize("NFD", "café")
    assert fold(composed) == fold(decomposed) == "café"
    X = TextFeatures(min_documents=1).fit_transform([composed, decomposed])
    assert (X[0] != X[1]).nnz == 0


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=40), min_size=1, max_size=6))
def test_any_text_has_features(texts):
    """Halves of surrogate pairs and unassigned characters too."""
    features = TextFeatures(2, (2, 3), min_documents=1, hashed=97)
    X = features.fit_transform(texts)
    assert X.shape == (len(texts), 97) and np.isfinite(X.data).all()
    lengths = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
    for text, row in zip(texts, X, strict=True):
        assert set(features.term_names(text)) == set(row.indices.tolist())


@pytest.mark.parametrize("hashed", [None, 1000])
def test_threads_change_no_bit(titles, hashed):
    one, two = (TextFeatures(hashed=hashed, n_jobs=n) for n in (1, 3))
    a, b = one.fit_transform(titles * 3), two.fit_transform(titles * 3)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    if hashed is None:
        assert one.get_feature_names_out().tolist() == two.get_feature_names_out().tolist()


def test_the_most_frequent_terms_are_kept(titles):
    every = TextFeatures(1, None, min_documents=1).fit(titles)
    some = TextFeatures(1, None, min_documents=1, max_terms=50).fit(titles)
    assert some.n_features_ == 50
    assert some.get_feature_names_out().tolist() == every.get_feature_names_out()[:50].tolist()
    sets = [set(t.split()) for t in titles]
    counts = [sum(term in s for s in sets) for term in some.get_feature_names_out()]
    assert counts == sorted(counts, reverse=True)


def test_rare_terms_are_forgotten_while_they_are_counted(monkeypatch):
    """As in lossy counting: of 40,000 terms some hundred fit; the frequent ones are found."""
    monkeypatch.setattr(features_module, "LEAST_IN_MEMORY", 500)
    rng = np.random.default_rng(0)
    texts = [f"common frequent w{rng.integers(10**9)} v{rng.integers(10**9)}" for _ in range(20_000)]
    features = TextFeatures(1, None, max_terms=16).fit(texts)
    assert {"common", "frequent"} <= set(features.get_feature_names_out())


def test_auto_takes_characters_for_short_texts():
    short = TextFeatures().fit(["red shoes", "blue shoes"])
    long = TextFeatures().fit(["red shoes " * 100])
    assert short.characters_ == (4, 4) and long.characters_ is None
    assert '"shoe"' in short.get_feature_names_out() and '"shoe"' not in long.get_feature_names_out()
    assert TextFeatures(characters=None).fit(["red shoes"]).characters_ is None


def test_terms_of_a_single_document_are_kept_of_few():
    texts = [f"word{i} all" for i in range(2_000)]
    assert TextFeatures(1, None).fit(texts[:1_999]).n_features_ == 2_000
    assert TextFeatures(1, None).fit(texts).n_features_ == 1


def test_columns_have_terms_of_their_own():
    table = {"title": ["red shoes", "wine"], "body": ["red", "red wine"]}
    features = TextFeatures(1, None, column_weights={"body": 0.5}, min_documents=1)
    X = features.fit_transform(table)
    names = features.get_feature_names_out().tolist()
    assert sorted(names) == ["body: red", "body: wine", "title: red", "title: shoes", "title: wine"]
    for form in (pd.DataFrame(table), pd.DataFrame(table)[["body", "title"]], read_documents(table)):
        assert (features.transform(form) != X).nnz == 0
    row = dict(zip(names, X[0].toarray().ravel(), strict=True))
    idf = {n: np.log(3 / 2) + 1 for n in names} | {"body: red": 1.0}
    assert row["title: red"] / row["body: red"] == pytest.approx(idf["title: red"] / (0.5 * idf["body: red"]))
    assert features.term_names({"title": "wine", "body": ""}) == {names.index("title: wine"): "title: wine"}


def test_one_named_column_takes_plain_texts():
    features = TextFeatures(1, None).fit({"title": ["red shoes"]})
    assert set(features.get_feature_names_out()) == {"red", "shoes"}
    assert (features.transform(["red"]) != features.transform({"title": ["red"]})).nnz == 0


def test_hashed_words_need_not_be_known(titles):
    features = TextFeatures(1, None, hashed=2**18).fit(titles[:10])
    X = features.transform(["zyxwvut qponml"])
    assert X.nnz == 2
    with pytest.raises(InputError, match="hashed terms have no names"):
        features.get_feature_names_out()


def test_no_documents_make_no_rows(titles):
    features = TextFeatures().fit(titles)
    X = features.transform([])
    assert X.shape == (0, features.n_features_) and X.dtype == np.float32


def test_many_blocks_are_one_matrix(titles):
    texts = (titles * 60)[:20_000]
    features = TextFeatures(1, None)
    X = features.fit_transform(texts)
    assert len(list(encoded_blocks(read_documents(texts)))) == 3
    assert (X[:400] != features.transform(titles)).nnz == 0 and X.has_sorted_indices


def test_a_query_of_many_words(titles):
    features = TextFeatures().fit(titles)
    X = features.transform([" ".join(titles * 100)])
    assert X.nnz <= features.n_features_ and np.isfinite(X.data).all()


def test_scikit_learn_knows_it(titles):
    features = TextFeatures(words=1, characters=(3, 3), hashed=50)
    twin = clone(features)
    assert twin.get_params() == features.get_params()
    assert features.__sklearn_tags__().input_tags.string


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"words": -1}, "words is -1"),
        ({"words": 0, "characters": None}, "there are no terms"),
        ({"characters": (5, 3)}, "the longest n-gram of characters is 3"),
        ({"characters": 3}, "accepted are 'auto', None and a pair"),
        ({"characters": (0, 3)}, "the shortest n-gram of characters is 0"),
        ({"min_documents": 0}, "min_documents is 0"),
        ({"min_documents": 3}, "no term is in 3 of the 2 documents"),
        ({"max_terms": 0}, "max_terms is 0"),
        ({"hashed": 0}, "hashed is 0"),
        ({"idf": "yes"}, "idf is 'yes'"),
        ({"column_weights": {"title": 1}}, "names the column 'title'; there are none"),
        ({"column_weights": 3}, "column_weights is 3"),
    ],
)
def test_settings_that_cannot_be(parameters, message):
    features = TextFeatures(**parameters)
    with pytest.raises(InputError, match=message):
        features.fit(["red shoes", "red wine"])
    assert not features.__sklearn_is_fitted__()


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ("red shoes", "documents is one str"),
        (["red", None], r"documents\[1\] is None; accepted is str"),
        (["red", 3], r"documents\[1\] is 3"),
        ({"title": ["a"], "body": ["a", "b"]}, "different lengths .'title': 1, 'body': 2."),
        ({}, "documents has no columns"),
        (3, "documents is a int"),
        ([], "there are no documents"),
        (pd.DataFrame({"t": ["a", np.nan]}), r"documents\['t'\]\[1\] is nan"),
        ({"a", "b"}, "documents is a set"),
        (pd.DataFrame([["a", "b"]], columns=["t", "t"]), "two columns named 't'"),
        (pd.DataFrame({0: ["a"]}), "column named 0; accepted is Unicode text"),
        ({"\ud800": ["a"]}, "accepted is Unicode text"),
    ],
)
def test_what_is_no_text(documents, message):
    with pytest.raises(InputError, match=message):
        TextFeatures().fit(documents)


def test_columns_that_are_missing():
    features = TextFeatures().fit({"title": ["a b"], "body": ["c d"]})
    with pytest.raises(InputError, match="lacks the column 'body', which the model reads"):
        features.transform({"title": ["a"]})
    with pytest.raises(InputError, match=r"lacks the column 'title'.*there are single texts"):
        features.transform(["a"])
    with pytest.raises(InputError, match="the model has learned single texts"):
        TextFeatures().fit(["a b"]).transform({"title": ["a"]})


@pytest.mark.parametrize("hashed", [None, 64])
@pytest.mark.parametrize("documents", [["", " "], {"title": ["", ""]}, ["a", 3], []])
def test_a_failed_fit_leaves_features_as_they_were(titles, hashed, documents):
    features = TextFeatures(hashed=hashed).fit(titles)
    before = features.transform(titles)
    features.hashed = None
    with pytest.raises(InputError):
        features.fit(documents)
    after = features.transform(titles)
    assert after.shape == before.shape and (after != before).nnz == 0
    assert features.columns_ == ()
