"""The trainer of tables, as the table of trainers has it. What it needs to work is imported when it works."""

from pathlib import Path

from modelyard.trainers.schema import Schema
from modelyard.trainers.tabular.checking import check
from modelyard.trainers.tabular.parameters import TabularParameters
from modelyard.trainers.trainer import Fitted, Report


class TabularTrainer:
    """Any listed scikit-learn estimator behind imputing, scaling and one-hot encoding by kind of column."""

    name = "tabular"
    title = "Table, with scikit-learn"
    version = "1"
    Parameters = TabularParameters

    def check(self, parameters: TabularParameters, schema: Schema) -> None:
        """See `Trainer`."""
        check(parameters, schema)

    def fit(self, dataset: Path, parameters: TabularParameters, report: Report, out: Path) -> Fitted:
        """See `Trainer`."""
        from modelyard.trainers.tabular.fitting import fit

        return fit(dataset, parameters, report, out)
