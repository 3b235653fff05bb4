"""Conversion between protobuf messages and domain types, one module for each family of messages."""
