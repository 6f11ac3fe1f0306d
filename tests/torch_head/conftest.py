"""The same random numbers in every test, and one thread: threads of PyTorch wait for each other."""

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded():
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
