"""What runs tasks: a pool of processes, or a Dask cluster; in these processes nothing imports grpc."""
