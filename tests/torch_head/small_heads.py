"""A head small enough to be compared with all of its classes."""

import torch

from hashslide.torch import SlideLoss

N, WIDTH, CLASSES = 40, 12, 600


def batch(several=False, ignored=True):
    """Activations and labels; some examples have no label."""
    h = torch.randn(N, WIDTH, requires_grad=True)
    if not several:
        y = torch.randint(CLASSES, (N,))
        y[3::7] = -100 if ignored else 5
        return h, y
    y = torch.stack([torch.randperm(CLASSES)[:3] for _ in range(N)])
    y[::3, 1:] = -100
    y[::5, 0] = -100
    return h, y


def small_head(**settings):
    return SlideLoss(WIDTH, CLASSES, random_state=1, **settings)


def all_logits(head, h):
    z = h @ head.weight.float().T
    return z if head.bias is None else z + head.bias


def gradients(head, h, loss):
    """Gradients of the activations, the weights and the bias, dense."""
    h.grad = None
    head.zero_grad()
    loss.backward()
    found = [h.grad, *(p.grad for p in head.parameters())]
    return [g.to_dense() if g.is_sparse else g for g in found]
