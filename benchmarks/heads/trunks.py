"""The networks below the output layers, and their optimisers: the same for every output layer."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn


class LSTM(nn.Module):
    """An LSTM over words, whose state goes on from batch to batch; rows of the result are (batch, time)."""

    def __init__(self, n_words: int, width: int):
        super().__init__()
        self.embedding = nn.Embedding(n_words, width, sparse=True)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.state: tuple[Tensor, Tensor] | None = None
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(self, words: Tensor) -> Tensor:
        """Return (batch · time, width) of words (batch, time)."""
        h, state = self.lstm(self.embedding(words), self.state)
        self.state = (state[0].detach(), state[1].detach())
        return h.flatten(0, 1)


class CharacterCNN(nn.Module):
    """Convolutions of several widths over characters and the maximum over places (Kim et al., AAAI 2016)."""

    WIDTHS = (2, 3, 4, 5, 6)
    FILTERS = 128
    EMBEDDING = 32

    def __init__(self, n_codes: int, width: int):
        super().__init__()
        self.embedding = nn.Embedding(n_codes, self.EMBEDDING, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(self.EMBEDDING, self.FILTERS, size, padding=size // 2) for size in self.WIDTHS
        )
        self.last = nn.Sequential(nn.Linear(self.FILTERS * len(self.WIDTHS), width), nn.BatchNorm1d(width))

    def forward(self, codes: Tensor) -> Tensor:
        """Return (n, width) of codes (n, length)."""
        x = self.embedding(codes.int()).transpose(1, 2)
        return self.last(torch.cat([layer(x).amax(2).relu() for layer in self.convolutions], 1))


class GlyphCNN(nn.Module):
    """Four convolutions of step 2 over grey images of 32 × 32, and a linear layer."""

    CHANNELS = (1, 32, 64, 128, 256)

    def __init__(self, width: int):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip(self.CHANNELS, self.CHANNELS[1:], strict=False):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        last = nn.Linear(self.CHANNELS[-1] * 4, width), nn.BatchNorm1d(width)
        self.layers = nn.Sequential(*layers, nn.Flatten(), *last)

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, width) of images (n, 32, 32) of bytes."""
        return self.layers(images[:, None].float() / 255)


class Transformer(nn.Module):
    """BERT without its pooler (Devlin et al. 2019), in ``nn.TransformerEncoder``; 0 is padding.

    Parameters
    ----------
    n_words, width, n_layers, n_heads
        The shape; the inner layers have 4 · width units.
    length
        Most word pieces of a text.
    """

    def __init__(self, n_words: int, width: int, n_layers: int, n_heads: int, length: int = 512):
        super().__init__()
        self.words = nn.Embedding(n_words, width, sparse=True)
        self.places = nn.Parameter(torch.randn(length, width) * 0.02)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            width, n_heads, 4 * width, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        nn.init.normal_(self.words.weight, std=0.02)

    def states(self, pieces: Tensor) -> Tensor:
        """Return (n, length, width) of word pieces (n, length)."""
        h = self.norm(self.words(pieces) + self.places[: pieces.shape[1]])
        return self.encoder(h, src_key_padding_mask=pieces == 0)

    def forward(self, pieces: Tensor) -> Tensor:
        """Return the mean state of each text, shape (n, width)."""
        pieces = pieces[:, : int((pieces > 0).sum(1).max())]
        is_word = (pieces > 0)[..., None]
        return (self.states(pieces) * is_word).sum(1) / is_word.sum(1)


def minilm(folder: Path) -> Transformer:
    """Return the MiniLM of ``sets.glosses.model``."""
    from safetensors.torch import load_file

    shape = json.loads((folder / "config.json").read_text())
    stored = load_file(folder / "model.safetensors")
    names = (
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
    )
    network = Transformer(*(shape[name] for name in names))
    embeddings = "embeddings."
    weights = {
        "words.weight": stored[embeddings + "word_embeddings.weight"],
        "places": stored[embeddings + "position_embeddings.weight"]
        + stored[embeddings + "token_type_embeddings.weight"][0],
        "norm.weight": stored[embeddings + "LayerNorm.weight"],
        "norm.bias": stored[embeddings + "LayerNorm.bias"],
    }
    for i in range(shape["num_hidden_layers"]):
        weights |= _encoder_layer(stored, f"encoder.layer.{i}.", f"encoder.layers.{i}.")
    network.load_state_dict(weights)
    return network


def _encoder_layer(stored: dict[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    """Return a layer of BERT's files under the names of ``nn.TransformerEncoderLayer``."""
    names = {
        "attention.output.dense": "self_attn.out_proj",
        "attention.output.LayerNorm": "norm1",
        "intermediate.dense": "linear1",
        "output.dense": "linear2",
        "output.LayerNorm": "norm2",
    }
    weights = {}
    for kind in ("weight", "bias"):
        products = [stored[f"{source}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        weights[f"{target}self_attn.in_proj_{kind}"] = torch.cat(products)
        for before, after in names.items():
            weights[f"{target}{after}.{kind}"] = stored[f"{source}{before}.{kind}"]
    return weights


def optimizers(trunk: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Return Adam for a trunk: for embeddings with sparse gradients the one that touches their rows only."""
    sparse = [
        module.weight for module in trunk.modules() if isinstance(module, nn.Embedding) and module.sparse
    ]
    known = {id(weight) for weight in sparse}
    dense = [weight for weight in trunk.parameters() if id(weight) not in known]
    made: list[torch.optim.Optimizer] = [torch.optim.Adam(dense, rate, fused=True)]
    return [*made, torch.optim.SparseAdam(sparse, rate)] if sparse else made
