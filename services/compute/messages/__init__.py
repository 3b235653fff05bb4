"""Messages of the compute service to the engine's types, and back."""
