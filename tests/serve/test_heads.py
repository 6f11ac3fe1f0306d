"""The output layer of a PyTorch model answers over HTTP, from the activations of its trunk."""

import pytest
import torch
from serving import process

from hashslide.torch import SlideLoss


def test_a_head_is_served(tmp_path):
    head = SlideLoss(4, 30, random_state=0)
    head.save(tmp_path / "head.hashslide", classes=[f"class {i}" for i in range(30)])
    h = torch.randn(4, generator=torch.Generator().manual_seed(0))
    values, ids = head.topk(h, 3)
    with process(tmp_path, tmp_path / "head.hashslide") as server:
        features = {str(i): float(x) for i, x in enumerate(h)}
        answer = server.predict({"features": features}, k=3, probabilities=False)["predictions"][0]["labels"]
    assert [one["label"] for one in answer] == [f"class {i}" for i in ids]
    assert [one["score"] for one in answer] == pytest.approx(values.tolist(), rel=1e-5)
