"""What `modelyard doctor` looks at: one function a subject, each gives findings."""
