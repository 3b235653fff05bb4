"""The files of a comparison: the tables of all its runs with the letters of their strategies, and statistics.

Names are those of the lines of JSON.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
from google.protobuf.json_format import MessageToDict

from backcast.backtest.v1.result_pb2 import DETAIL_METRICS
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsRequest, RunBacktestsResponse
from backcast.result import METRICS
from backcast.run_log import RunLog
from services.cli.client.compared_runs import ComparedRun, Comparison
from services.cli.files.result_files import RUN_TABLES, as_read, detailed_files, run_tables
from services.domain.comparison import QUANTILES, Differences

_TABLES = {
    "results": DETAIL_METRICS,
    **dict.fromkeys(("strategies", "statistics", "differences"), DETAIL_METRICS),
    **RUN_TABLES,
}
_STRATEGIES = pa.schema(
    [
        ("letter", pa.string()),
        ("request", pa.string()),
        ("crypto_count", pa.int64()),
        ("share_gained", pa.float64()),
        ("share_beat_holding", pa.float64()),
        ("cryptos_without_trades", pa.int64()),
    ]
)
_STATISTICS = pa.schema(
    [
        *((name, pa.string()) for name in ("letter", "metric")),
        *((name, pa.float64()) for name in ("mean", *QUANTILES)),
    ]
)
_DIFFERENCES = pa.schema(
    [
        *((name, pa.string()) for name in ("letter", "minus", "metric")),
        *(
            (one.name, pa.int64() if one.name.endswith("count") else pa.float64())
            for one in fields(Differences)
        ),
    ]
)


class ComparisonFiles:
    """The files of one comparison: pass it what was compared, and write them."""

    def __init__(self, output: Path, detail: int, *, overwrite: bool) -> None:
        """Check that the files can be made; raise InvalidInput, naming the option, if they cannot.

        `output` is a file or a folder, as TableFiles says.
        """
        self._files = detailed_files(output, _TABLES, detail, overwrite=overwrite)

    def write(self, comparison: Comparison) -> str:
        """Write the files, all or none of them, and return what was written, in words.

        Raises InvalidInput, naming the option, if they cannot be written.
        """
        return self._files.write({name: _table(name, comparison) for name in self._files.names})


def _table(name: str, comparison: Comparison) -> Any:
    match name:
        case "strategies":
            rows = [_strategy(letter, comparison) for letter in comparison.runs]
            return pa.Table.from_pylist(rows, _STRATEGIES)
        case "statistics":
            rows = [
                {"letter": letter, **row}
                for letter, one in comparison.statistics.items()
                for row in _by_metric({"mean": one.mean, **one.quantiles})
            ]
            return pa.Table.from_pylist(rows, _STATISTICS)
        case "differences":
            minus = next(iter(comparison.runs))
            rows = [
                {"letter": letter, "minus": minus, **row}
                for letter, one in comparison.differences.items()
                for row in _by_metric(asdict(one))
            ]
            return pa.Table.from_pylist(rows, _DIFFERENCES)
    tables = []
    for letter, run in comparison.runs.items():
        table = run_tables(_log(run, comparison.symbols))[name]()
        tables.append(table.add_column(0, "letter", pa.array([letter] * table.num_rows, pa.string())))
    return pa.concat_tables(tables).unify_dictionaries()


def _strategy(letter: str, comparison: Comparison) -> dict[str, Any]:
    request = MessageToDict(comparison.runs[letter].request, preserving_proto_field_name=True)
    statistics = comparison.statistics[letter]
    return {
        "letter": letter,
        "request": json.dumps(request, ensure_ascii=False),
        "crypto_count": len(comparison.symbols),
        "share_gained": statistics.share_gained,
        "share_beat_holding": statistics.share_beat_holding,
        "cryptos_without_trades": statistics.cryptos_without_trades,
    }


def _by_metric(figures: Mapping[str, Mapping[str, float]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each metric, with the figures that are defined."""
    for metric in METRICS:
        if found := {name: values[metric] for name, values in figures.items() if metric in values}:
            yield {"metric": metric, **found}


def _log(run: ComparedRun, symbols: Sequence[str]) -> RunLog:
    """Return what the run brought for the cryptos that were compared, and all of its failures."""
    log = RunLog(RunBacktestsRequest(detail=run.request.detail), "pyarrow")
    for symbol in symbols:
        log.add(as_read(RunBacktestsResponse(result=run.results[symbol])))
    log.failures = {**run.failures}
    return log
