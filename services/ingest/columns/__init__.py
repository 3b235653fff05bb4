"""Which columns a file has, and how their numbers, times and symbols are written."""
