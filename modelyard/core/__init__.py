"""The words that everything shares. No Django and no input or output here."""
