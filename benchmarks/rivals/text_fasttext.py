"""fastText on texts, in a process of its own: benchmarks.rivals.text starts it.

It is set as beside the other rivals (methods/fasttext_hs.py), and gets pairs of words, as hashslide does.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import fasttext

from .methods.fasttext_hs import EPOCHS, LABEL, LEARNING_RATE


def main(path: Path) -> None:
    """Do the job in the file, and write the result beside it."""
    job = json.loads(path.read_text())
    begin, cpu_begin = time.perf_counter(), time.process_time()
    model = fasttext.train_supervised(
        job["train"],
        loss="hs",
        lr=LEARNING_RATE,
        epoch=EPOCHS,
        wordNgrams=2,
        thread=job["threads"],
        seed=job["seed"],
        verbose=0,
    )
    train_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu_begin
    lines = Path(job["test"]).read_text(encoding="utf8").splitlines()
    begin = time.perf_counter()
    found, _ = model.predict(lines, k=job["k"])
    predict_s = time.perf_counter() - begin
    saved = path.with_suffix(".bin")
    model.save_model(str(saved))
    labels = [[int(label.removeprefix(LABEL)) for label in row] for row in found]
    topk = [row + [-1] * (job["k"] - len(row)) for row in labels]
    result = {
        "train_s": train_s,
        "cpu_s": cpu_s,
        "predict_s": predict_s,
        "mb": saved.stat().st_size / 1e6,
        "topk": topk,
    }
    path.with_suffix(".result").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
