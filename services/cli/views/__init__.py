"""Output of the commands: tables, progress, summaries."""
