"""Scoring a table with a version, in a sandboxed child: rows in, a file of predictions out. No Django here."""
