"""Side-by-side benchmarks: every number is a ratio between programs that ran in turns on the same machine."""
