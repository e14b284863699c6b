"""The one place where model code that we did not write may run."""
