"""The comparison of output layers: its data, its layers, its clocks and its commands, on small made data."""

import argparse

import numpy as np
import pytest
from scipy.sparse import csr_matrix

torch = pytest.importorskip("torch")

from torch.nn.functional import cross_entropy  # noqa: E402

from benchmarks.heads import arms, command, glyph_cnn, lstm_words, many_classes, masked_lm, minilm, name_cnn  # noqa: E402
from benchmarks.heads.race import Budget, Learner, Point, quality_at, race, seconds_to, standings  # noqa: E402
from benchmarks.heads.sets import glosses, glyphs, names, packages, words  # noqa: E402
from benchmarks.heads.shuffled import Shuffled, accuracy, sample  # noqa: E402
from benchmarks.heads.stages import cells, staged_step  # noqa: E402
from benchmarks.heads.trunks import LSTM, Transformer, optimizers  # noqa: E402

# PyTorch warns once a process that it does not check the sparse gradients which its own layers make.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse invariant checks")

LEARNT = [name for name in arms.ARMS if name != "native-compiled"]  # the compiler warns of itself
PLAIN = ("native", "adaptive", "torch-sampled", "slide")


def task(n_classes, width=8, **options):
    counts = torch.arange(n_classes, 0, -1)[
        torch.randperm(n_classes, generator=torch.Generator().manual_seed(1))
    ]
    return arms.Task(width, counts, **{"negatives": 16, "threads": 1} | options)


def rows(n, width=8, n_classes=50):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, width, generator=generator), torch.randint(n_classes, (n,), generator=generator)


# Sets


def test_identifiers_are_those_of_the_code():
    source = 'int main(void) { /* not this */ char *s = "nor \\" this"; return 0x1f + argc_2; } // nor this'
    assert words.identifiers(source) == ["int", "main", "void", "char", "s", "return", "argc_2"]


def test_a_text_is_divided_by_file_and_counted_in_training():
    files = {f"drivers/{i}.c": ["common", f"own_{i}", "common", f"own_{i}"] for i in range(200)}
    train, test, vocabulary = words.encode(files)
    held_out = [path for path in files if words.is_held_out(path)]
    assert 0 < len(held_out) < 40
    assert len(test) == 4 * len(held_out)
    assert len(train) + len(test) == 800
    assert vocabulary[0] == "common"
    assert (train == 1).sum() == len(train) // 2
    assert set(np.unique(test)) == {0, 1}  # words of a file that is held out occur nowhere else
    assert len(vocabulary) == train.max() == 1 + 200 - len(held_out)


def test_a_smaller_vocabulary_makes_more_words_rare(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    np.save(folder / "train.npy", np.array([1, 2, 3, 1, 0, 9], np.int32))
    np.save(folder / "test.npy", np.array([9, 3, 4], np.int32))
    (folder / "words.txt").write_text("")
    text = words.load(tmp_path, 4)
    assert text.train.tolist() == [1, 2, 3, 1, 0, 0]
    assert text.test.tolist() == [0, 3, 0]
    assert text.counts.tolist() == [2, 2, 1, 1]


def test_names_lose_their_scope_and_their_end():
    codes = names.encode(["@scope/ab", "é", "a" * 99])
    assert codes.shape == (3, names.LENGTH)
    assert codes[0, :3].tolist() == [names.CODE["a"], names.CODE["b"], 0]
    assert codes[1, 0] == 1
    assert (codes[2] == names.CODE["a"]).all()


def test_owners_of_the_test_part_are_known():
    owner = {f"package-{i}": f"owner-{i % 7}" for i in range(300)} | {"package-9": "stranger"}
    train, y_train, test, y_test = names.divide(owner)
    assert len(train) == len(y_train) > len(test) == len(y_test) > 0
    assert set(y_test) <= set(y_train) == set(range(y_train.max() + 1))


def test_glyphs_lie_in_the_middle():
    from matplotlib import get_data_path

    font = f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    wanted = np.array([ord("A"), 0x4E00, ord("x")], np.int32)  # this font has no Chinese characters
    images, drawn = glyphs.draw(font, 0, wanted)
    assert drawn.tolist() == [ord("A"), ord("x")]
    for image in images:
        ink = np.argwhere(image > 64)
        middle = (ink.min(axis=0) + ink.max(axis=0)) / 2
        np.testing.assert_allclose(middle, (glyphs.SIDE - 1) / 2, atol=1.5)


WORDNET = """\
  1 This line belongs to the licence.
00000001 03 n 01 entity 0 001 ~ 00000002 n 0000 | that which exists
00000002 03 n 02 thing 0 object 0 002 @ 00000001 n 0000 ~ 00000003 n 0000 | a separate  thing; "a thing"
00000003 03 n 01 rose 0 001 @i 00000002 n 0000 | a flower
00000004 00 s 01 ruddy 0 001 & 00000005 a 0000 | of a red colour
00000005 00 a 01 red 0 002 & 00000004 a 0000 + 00000001 n 0101 | red
"""


def test_labels_are_all_more_general_synsets():
    found = glosses.synsets(WORDNET.splitlines())
    assert found["n00000002"] == ('a separate thing; "a thing"', ["n00000001"])
    above = glosses.ancestors(found)
    assert above["n00000001"] == set()
    assert above["n00000003"] == {"n00000001", "n00000002"}
    assert above["a00000004"] == {"a00000005"}
    assert above["a00000005"] == {"a00000004"}


def test_labels_of_the_test_part_are_known():
    chain = {f"n{i:08}": (f"gloss {i}", [f"n{i - 1:08}"] if i else []) for i in range(60)}
    parts = glosses.divide(chain)
    (train_texts, train), (test_texts, test) = parts["train"], parts["test"]
    assert len(test_texts) == test.shape[0] > 0
    assert train.shape[1] == test.shape[1]
    assert (np.bincount(train.indices, minlength=train.shape[1]) > 0).all()
    assert not set(train_texts) & set(test_texts)


def test_what_is_there_is_neither_fetched_nor_built_again(tmp_path):
    (tmp_path / "fonts-some_1.0_all.deb").touch()
    (tmp_path / "some-1.0.tgz").touch()
    (tmp_path / "some_thing-1.0-py3-none-any.whl").touch()
    assert packages.debian("fonts-some", tmp_path).name == "fonts-some_1.0_all.deb"
    assert packages.npm("some", "1.0", tmp_path).name == "some-1.0.tgz"
    assert packages.pypi("some-thing", "1.0", tmp_path).name == "some_thing-1.0-py3-none-any.whl"
    calls = []
    for _ in range(2):
        packages.built(tmp_path, ("done",), lambda: calls.append((tmp_path / "done").touch()))
    assert len(calls) == 1


# Output layers


@pytest.mark.parametrize("name", PLAIN)
def test_evaluations_score_every_class(name, monkeypatch):
    monkeypatch.setattr(arms, "SCORES", 150)  # three rows at once
    head = arms.ARMS[name](task(50))
    h, y = rows(10)
    with torch.no_grad():
        exact, best = head.nll(h, y), head.topk(h, 50)
        every = torch.stack([head.nll(h, torch.full((10,), c)) for c in range(50)], 1)
    torch.testing.assert_close(exact, every[torch.arange(10), y])
    torch.testing.assert_close(every.neg().exp().sum(1), torch.ones(10))
    torch.testing.assert_close(every.gather(1, best), every.sort(1).values)


def test_linear_layers_start_alike():
    first, *others = [arms.ARMS[name](task(50)) for name in LEARNT if name != "adaptive"]
    for head in others:
        assert torch.equal(head.weight, first.weight)
        assert torch.equal(head.bias, first.bias)


def test_the_full_softmax_is_the_cross_entropy():
    head = arms.native(task(50))
    h, y = rows(10)
    torch.testing.assert_close(head.loss(h, y), cross_entropy(h @ head.weight.T + head.bias, y))
    torch.testing.assert_close(head.loss(h, y), head.nll(h, y).mean())


@pytest.mark.parametrize("name", ["torch-sampled", "slide", "uniform"])
def test_sampled_losses_estimate_the_full_one(name):
    given = task(50, negatives=40_000)
    h, y = rows(10)
    exact = arms.native(given).loss(h, y)
    torch.testing.assert_close(arms.ARMS[name](given).loss(h, y), exact, rtol=0.02, atol=0)


def test_the_arms_differ_in_their_negatives():
    h, y = rows(10)
    touched = {}
    for name in ("slide", "batch", "uniform", "exact", "lsh"):
        head = arms.ARMS[name](task(50))
        head.loss(h, y).backward()
        touched[name] = set(head.weight.grad.coalesce().indices()[0].tolist())
    labels = set(y.tolist())
    assert touched["batch"] == labels
    assert labels < touched["slide"] <= touched["exact"]
    with torch.no_grad():
        best = head.topk(h, 1)[:, 0]
    assert set(best.tolist()) <= touched["exact"]


@pytest.mark.parametrize("name", LEARNT)
def test_layers_learn(name):
    head = arms.ARMS[name](task(50, rate=0.5, full_rate=0.5))
    h, y = rows(30)
    before = head.nll(h, y).mean()
    for _ in range(60):
        head.loss(h, y).backward()
        head.optimizer.step()
        head.optimizer.zero_grad(set_to_none=True)
    assert head.nll(h, y).mean() < before / 2


# Clocks


def test_seconds_to_a_quality_lie_between_evaluations():
    points = [Point(1, 10.0, 0.1), Point(2, 20.0, 0.3), Point(3, 30.0, 0.2)]
    assert seconds_to(points, 0.1, True) == 10
    assert seconds_to(points, 0.2, True) == pytest.approx(15)
    assert seconds_to(points, 0.4, True) is None
    assert seconds_to([Point(1, 10.0, 100.0), Point(2, 20.0, 50.0)], 75.0, False) == pytest.approx(15)
    assert quality_at(points, 15) == pytest.approx(0.2)
    assert quality_at(points, 5) == 0.1


def learner(name="native", width=8):
    torch.manual_seed(0)
    h, y = rows(64)
    batch = Shuffled(h.numpy(), y.numpy(), 16)
    return Learner(name, torch.nn.Linear(8, width), arms.ARMS[name](task(50, width)), batch, 0.01)


def loss_of(trunk, head):
    h, y = rows(64)
    return float(head.nll(trunk(h), y).mean())


def test_a_race_gives_every_learner_the_same_steps_and_batches(monkeypatch):
    monkeypatch.setattr("benchmarks.heads.race.SLICE", 0.0)  # their turns change at every step
    alone = learner()
    race([alone], Budget(steps=8), loss_of, 4)
    together = [learner(), learner("torch-sampled"), learner()]
    race(together, Budget(steps=8), loss_of, 4)
    assert [[point.steps for point in one.points] for one in together] == [[2, 4, 6, 8]] * 3
    qualities = [point.quality for point in alone.points]
    assert [point.quality for point in together[0].points] == qualities
    assert [point.quality for point in together[2].points] == qualities
    assert qualities[-1] < qualities[0]


def test_a_race_ends_when_the_time_is_used():
    one = learner()
    race([one], Budget(seconds=0.05), loss_of, 2)
    assert len(one.points) == 2
    assert sum(one.step_seconds[:-1]) < 0.05 <= one.seconds


def test_the_table_holds_all_against_the_first():
    first, second = learner(), learner("torch-sampled")
    first.step_seconds, second.step_seconds = [2.0] * 10, [0.5] * 10
    first.points = [Point(5, 10.0, 80.0), Point(10, 20.0, 50.0)]
    second.points = [Point(5, 2.5, 91.0), Point(10, 5.0, 41.0)]
    table = standings([first, second], "perplexity", False, 0.02, 2).splitlines()
    assert "seconds to 51.00" in table[0]
    assert table[2].split(" | ")[3:5] == ["2000.0", "1.0"]
    assert table[3].split(" | ")[1:] == ["10", "5.0", "500.0", "4.0", "41.00", "41.00", "80.00", "4.5 |"]


def test_stages_make_a_whole_step():
    h, y = rows(16)
    staged, plain = learner(), learner()
    taken = staged_step(lambda: staged.trunk(h), staged.head, y, optimizers(staged.trunk, 0.01))
    plain.batch = lambda step: (h, y)
    plain.step()
    for a, b in zip(staged.trunk.parameters(), plain.trunk.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(staged.head.weight, plain.head.weight)
    assert min(taken.values()) > 0
    assert cells({"trunk": 0.001, "update": 0.001, "head": 0.001, "head update": 0.001})[-2:] == [
        "4.0",
        "50.0%",
    ]


# Batches and trunks


def test_batches_depend_on_the_step_alone():
    inputs, classes = np.arange(100)[:, None], np.arange(100)
    one, other = (Shuffled(inputs, classes, 30) for _ in range(2))
    epoch = torch.cat([one(step)[1] for step in range(3)])
    assert len(epoch.unique()) == 90
    assert torch.equal(one(4)[0], other(4)[0])
    assert not torch.equal(one(0)[1], one(3)[1])
    assert torch.equal(one(7)[0][:, 0], one(7)[1])


def test_streams_go_on_from_step_to_step():
    streams = lstm_words.Streams(np.arange(101, dtype=np.int32), 4, 5)
    x, y = streams(1)
    assert x[:, 0].tolist() == [5, 30, 55, 80]
    assert torch.equal(y, x.flatten() + 1)
    assert torch.equal(streams(len(streams))[0], streams(0)[0])


def test_the_state_of_an_lstm_goes_on():
    trunk = LSTM(20, 4)
    text = torch.arange(12).view(1, 12)
    with torch.no_grad():
        whole = trunk(text)
        trunk.state = None
        parts = torch.cat([trunk(text[:, :7]), trunk(text[:, 7:])])
    torch.testing.assert_close(parts, whole)


def test_padding_changes_no_text():
    network = Transformer(50, 8, 2, 2, 16).eval()
    text = torch.tensor([[3, 4, 5, 0, 0, 0], [3, 4, 5, 6, 7, 8]])
    with torch.no_grad():
        torch.testing.assert_close(network(text)[:1], network(text[:1, :3]))


def test_the_layers_of_bert_keep_their_places(tmp_path):
    """A file in BERT's names, written from one of these networks, gives that network back."""
    from safetensors.torch import save_file

    from benchmarks.heads.trunks import minilm as load

    network = Transformer(50, 8, 2, 2, 16)
    own = network.state_dict()
    stored = {
        "embeddings.word_embeddings.weight": own["words.weight"],
        "embeddings.position_embeddings.weight": own["places"] - 1,
        "embeddings.token_type_embeddings.weight": torch.ones(2, 8),
        "embeddings.LayerNorm.weight": own["norm.weight"],
        "embeddings.LayerNorm.bias": own["norm.bias"],
    }
    for i in range(2):
        for kind in ("weight", "bias"):
            products = own[f"encoder.layers.{i}.self_attn.in_proj_{kind}"].chunk(3)
            for part, product in zip(("query", "key", "value"), products, strict=True):
                stored[f"encoder.layer.{i}.attention.self.{part}.{kind}"] = product.clone()
            for theirs, ours in (
                ("attention.output.dense", "self_attn.out_proj"),
                ("attention.output.LayerNorm", "norm1"),
                ("intermediate.dense", "linear1"),
                ("output.dense", "linear2"),
                ("output.LayerNorm", "norm2"),
            ):
                stored[f"encoder.layer.{i}.{theirs}.{kind}"] = own[f"encoder.layers.{i}.{ours}.{kind}"]
    save_file(stored, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(
        '{"vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,'
        ' "max_position_embeddings": 16}'
    )
    text = torch.tensor([[3, 4, 5, 0]])
    with torch.no_grad():
        torch.testing.assert_close(load(tmp_path).eval()(text), network.eval()(text))


# Commands


def options(tmp_path, **changes):
    made = command.parser("", steps=6, batch=8, width=16, evaluations=2, negatives=8, threads=1)
    return made.parse_args([str(tmp_path), "--arms", *changes.pop("arms", PLAIN)]), changes


def settings(tmp_path, **changes):
    made, changes = options(tmp_path, **changes)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def lines_of(capsys):
    """The rows of the table that was printed, without its head."""
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")][2:]


def test_the_lstm_trains_on_words(tmp_path, capsys):
    train, test = np.random.default_rng(0).integers(40, size=(2, 900)).astype(np.int32)
    text = words.Words(train, test, np.bincount(train, minlength=40))
    lstm_words.measure(text, settings(tmp_path, length=5, test_steps=3))
    found = lines_of(capsys)
    assert [line.split(" | ")[0] for line in found] == [f"| {name}" for name in PLAIN]
    assert all(30 < float(line.split(" | ")[5]) < 60 for line in found)  # 40 words at random


def test_the_cnn_of_characters_trains_on_names(tmp_path, capsys):
    owner = {f"{'abc'[i % 3] * 5}-{i}": "xyz"[i % 3] for i in range(300)}
    train, y_train, test, y_test = names.divide(owner)
    data = names.Names(train, y_train, test, y_test, np.bincount(y_train))
    name_cnn.measure(data, settings(tmp_path, arms=("native", "torch-sampled"), test=20, steps=40))
    found = lines_of(capsys)
    assert len(found) == 2
    assert all(float(line.split(" | ")[5]) > 0.9 for line in found)


def test_the_cnn_of_images_trains_on_glyphs(tmp_path, capsys):
    rng = np.random.default_rng(0)
    shapes = rng.integers(256, size=(6, glyphs.SIDE, glyphs.SIDE))
    y_train, y_test = rng.integers(6, size=300), rng.integers(6, size=30)
    noise = [rng.integers(64, size=(len(y), glyphs.SIDE, glyphs.SIDE)) for y in (y_train, y_test)]
    train, test = (
        ((shapes[y] + extra) // 2).astype(np.uint8) for y, extra in zip((y_train, y_test), noise, strict=True)
    )
    data = glyphs.Glyphs(train, y_train.astype(np.int32), test, y_test.astype(np.int32))
    out = tmp_path / "results.json"
    glyph_cnn.measure(data, settings(tmp_path, test=30, steps=30, out=out))
    found = lines_of(capsys)
    assert len(found) == len(PLAIN)
    assert all(float(line.split(" | ")[5]) > 0.9 for line in found)
    assert '"arm": "adaptive"' in out.read_text()


def test_accuracy_is_the_share_of_best_scores():
    head = arms.native(task(50))
    with torch.no_grad():
        head.bias.zero_()
        x, y = sample(np.eye(8, dtype=np.float32), np.arange(8), 8)
        head.weight.zero_()
        head.weight[y] = x
        assert accuracy(torch.nn.Identity(), head, x, y) == 1
        head.weight[int(y[0])] = -x[0]
        assert accuracy(torch.nn.Identity(), head, x, y) == 7 / 8


def test_labels_are_padded_and_shared():
    Y = csr_matrix(np.array([[1, 0, 1, 0], [0, 0, 0, 1]], np.float32))
    labels = minilm.padded(Y)
    assert labels.tolist() == [[0, 2], [3, minilm.PADDING]]
    assert minilm.shares(labels, 4).tolist() == [[0.5, 0, 0.5, 0], [0, 0, 0, 1]]


def part_of_glosses(n, seed):
    """Texts of four kinds, each with words and two labels of its own."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(4, size=n)
    pieces = np.where(np.arange(6) < 5, kinds[:, None] * 5 + np.arange(1, 7), 0).astype(np.int32)
    Y = np.zeros((n, 8), np.float32)
    Y[np.arange(n), kinds] = Y[np.arange(n), 4 + kinds] = 1
    texts = [" ".join(f"word{piece}" for piece in row if piece) for row in pieces]
    return glosses.Part(texts, pieces, csr_matrix(Y))


def test_a_transformer_trains_on_glosses(tmp_path, capsys):
    given = settings(
        tmp_path,
        arms=["native"],
        classes=[30],
        stage_steps=1,
        steps=40,
        rate=0.01,
        head_rate=0.2,
        epochs=2,
        test=20,
    )
    parts = part_of_glosses(200, 0), part_of_glosses(40, 1)
    minilm.measure(lambda: Transformer(30, 16, 1, 2, 8), *parts, given)
    found = lines_of(capsys)
    assert found[0].startswith("| 30 | native | ")
    assert [line.split(" | ")[0] for line in found[-2:]] == [
        "| MiniLM, native",
        "| words, SlideTextClassifier",
    ]
    assert found[-2].split(" | ")[3:] == ["1.000", "0.667", "0.400 |"]  # both of two labels


def test_steps_of_a_masked_language_model_cost_what_they_score(monkeypatch):
    monkeypatch.setattr(masked_lm, "CASES", {"all": ("native", False), "masked": ("native", True)})
    given = argparse.Namespace(seed=0, batch=4, length=32, negatives=8, threads=1, steps=1)
    taken = masked_lm.measure((16, 1, 2), 60, given)
    assert list(taken) == ["all", "masked"]
    assert all(min(stages.values()) > 0 for stages in taken.values())


def test_many_classes_are_measured():
    given = argparse.Namespace(seed=0, batch=8, width=4, negatives=16, threads=1, steps=2)
    for arm in ("native", "slide"):
        seconds, before, peak = many_classes.measure(arm, 100, given)
        assert seconds > 0
        assert 0 < before <= peak
