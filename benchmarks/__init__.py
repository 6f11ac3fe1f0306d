"""What makes the tables of docs/benchmarks.md; README.md says how to run it."""
