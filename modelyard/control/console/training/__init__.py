"""The training form: its fields, made of what a trainer states, what was typed into them, and the same as commands."""
