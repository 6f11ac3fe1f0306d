"""Output layers on top of networks of PyTorch: how soon does each reach the quality of the full softmax?"""
