"""grpc.health.v1.Health: whether a server and each of its services are ready, one by one or as a list."""

from collections.abc import Iterable

from grpc_health.v1 import health, health_pb2

HEALTH_NAME: str = health.SERVICE_NAME
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_WHOLE_SERVER = ""


class HealthServicer(health.aio.HealthServicer):  # type: ignore[misc]  # the library has no types
    """Answers Check and Watch as the library does, and List, which the library does not have."""

    def __init__(self, services: Iterable[str]) -> None:
        super().__init__()
        self._services = (*services, _WHOLE_SERVER)

    async def start(self) -> None:
        """Report that nothing is ready yet; by default, the library reports the whole server as ready."""
        await self._set_all(_NOT_SERVING)

    async def ready(self) -> None:
        """Report that everything is ready; nothing changes if the server is stopping already."""
        await self._set_all(_SERVING)

    async def List(  # noqa: N802  # the RPC's name
        self, request: health_pb2.HealthListRequest, context: object
    ) -> health_pb2.HealthListResponse:
        """Return the state of every service; that of the whole server has an empty name."""
        return health_pb2.HealthListResponse(
            statuses={
                name: await self.Check(health_pb2.HealthCheckRequest(service=name), context)
                for name in self._services
            }
        )

    async def _set_all(self, status: int) -> None:
        for name in self._services:
            await self.set(name, status)
