"""The `backcast` command."""
