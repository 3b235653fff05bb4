"""Reports: one HTML file of a run or a sweep, with everything in it."""
