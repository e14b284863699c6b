"""How a request body becomes a batch and an answer becomes a body: one file for each shape."""
