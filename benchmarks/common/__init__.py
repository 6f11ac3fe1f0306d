"""What the benchmarks share: data, processes, clocks, accuracy, reports."""
