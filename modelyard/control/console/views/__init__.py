"""The pages, one file a noun. Each parses, asks who it is, makes one service call, and renders."""
