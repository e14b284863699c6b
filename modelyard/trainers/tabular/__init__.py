"""The trainer of tables: one of the listed scikit-learn estimators behind preparation by kind of column."""
