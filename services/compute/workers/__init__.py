"""Workers: a pool of processes, or a Dask cluster. The worker processes import no grpc."""
