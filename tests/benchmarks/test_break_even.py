"""From how many classes on an output layer costs more than the network below it."""

import sys

import pytest

pytest.importorskip("torch")

from benchmarks.heads import break_even


def test_it_is_counted_and_measured(monkeypatch, capsys):
    networks = ["LSTM of 128, a word", "CNN over 32 x 32 pixels"]
    options = ["--classes", "500", "--repeats", "1", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["break_even", "--networks", *networks, *options])
    break_even.main()
    lstm, cnn = (line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:])
    assert lstm[5] == "1,024" and cnn[5] == "15,136"  # 8 * 128; four convolutions and a linear layer by hand
    assert all(int(row[6].replace(",", "").rstrip(" |")) > 0 for row in (lstm, cnn))
