"""Training on many machines: what is sent, how fast it is, and what happens when a machine dies."""
