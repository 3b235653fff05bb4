"""The columns of a file: which they are, and how their numbers, times and symbols are written."""
