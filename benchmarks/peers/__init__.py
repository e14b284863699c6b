"""What Modelyard is compared with."""
