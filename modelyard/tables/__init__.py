"""How a file becomes a dataset: CSV and Parquet read as streams, written as one canonical Parquet, and described."""
