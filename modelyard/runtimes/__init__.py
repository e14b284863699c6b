"""How a file becomes `predict(batch)`. One file for each runtime, heavy imports inside it."""
