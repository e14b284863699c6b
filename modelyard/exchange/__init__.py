"""What passes between the planes: snapshots down, the spool up."""
