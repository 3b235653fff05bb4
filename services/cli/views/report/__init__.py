"""Reports: one HTML file of a run, a sweep or a portfolio, with everything in it."""
