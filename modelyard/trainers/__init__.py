"""How a table becomes a model: one folder or file a trainer, heavy imports inside what does the work."""
