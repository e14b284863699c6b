"""Private instances of the real servers that tests talk to: one of each for a whole test run."""
