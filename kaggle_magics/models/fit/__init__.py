"""What a model would take on a machine and how fast it would be, estimated before anything is loaded."""
