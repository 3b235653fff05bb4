"""Providers of candles: column files that workers map, or candles that Dask's workers fetch themselves."""
