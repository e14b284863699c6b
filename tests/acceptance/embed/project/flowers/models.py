"""Flowers, measured in centimetres, and the beds that they grow in."""

from typing import Any

from django.db import models

import modelyard


class Bed(models.Model):
    name = models.CharField(max_length=50)
    petal_width = models.FloatField(help_text="of all that grows here: the same clone")

    def __str__(self) -> str:
        return self.name


class FlowerQuerySet(models.QuerySet):
    def with_species(self) -> list[tuple["Flower", Any]]:
        """Pair each flower with the species that the model predicts for it."""
        flowers = list(self)
        return list(zip(flowers, modelyard.predict("iris", flowers).predictions, strict=True)) if flowers else []


class Flower(models.Model):
    sepal_length = models.FloatField()
    sepal_width = models.DecimalField(max_digits=4, decimal_places=1)
    petal_length = models.FloatField(null=True)
    petal_width = models.FloatField()
    bed = models.ForeignKey(Bed, on_delete=models.CASCADE, null=True)
    neighbours = models.ManyToManyField("self", blank=True)

    objects = FlowerQuerySet.as_manager()

    def __str__(self) -> str:
        return f"flower {self.pk}"

    @property
    def species(self) -> Any:
        """Return what the model says that this is."""
        return modelyard.predict("iris", self).predictions[0]

    @property
    def doubled_width(self) -> float:
        return float(self.sepal_width)
