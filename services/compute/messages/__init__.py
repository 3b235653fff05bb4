"""The compute service's messages to the engine's types, and back."""
