"""Conversion between the compute service's messages and the engine's types."""
