"""Does hashing pay? Samplers with probabilities, hidden layers, rebuilds."""
