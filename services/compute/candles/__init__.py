"""Where the candles are that workers read: in column files here, or fetched by Dask's workers themselves."""
