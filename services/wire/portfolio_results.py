"""Conversion of a portfolio's result to messages. Workers do it: nothing here may import grpc."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from backcast.backtest.v1 import portfolio_pb2 as pb
from backcast_engine import ENGINE_VERSION
from backcast_engine.portfolio import BenchmarkResult, CryptoResult, PortfolioCurve, PortfolioResult
from services.wire.result_parts import MessageList, cut
from services.wire.results import metrics_message, monthly_return_message, trade_message

# Symbols have up to 64 bytes.
_LISTS = (
    MessageList(("cryptos",), 140),
    MessageList(("trades",), 210),
    MessageList(("correlation.symbols",), 66),
    MessageList(("correlation.values",), 8),
    MessageList(tuple(f"curve.{field.name}" for field in pb.PortfolioCurve.DESCRIPTOR.fields), 60),
    MessageList(("monthly_returns",), 20),
    MessageList(("without_candles",), 66),
)


def portfolio_result_parts(
    result: PortfolioResult, without_candles: Sequence[str] = ()
) -> Iterator[pb.PortfolioResult]:
    """Yield the parts of a result's message, each shorter than 1 MiB; `from_cache` is not set."""
    yield from cut(portfolio_result_message(result, without_candles), _LISTS)


def portfolio_result_message(
    result: PortfolioResult, without_candles: Sequence[str] = ()
) -> pb.PortfolioResult:
    """Return the message of a result; `without_candles` are the symbols of cryptos that are not in it."""
    message = pb.PortfolioResult(
        metrics=metrics_message(result.metrics),
        cryptos=map(_crypto_message, result.cryptos),
        hold=metrics_message(result.hold),
        benchmark=_benchmark_message(result.benchmark) if result.benchmark else None,
        trades=(
            pb.PortfolioTrade(symbol=each.symbol, strategy=each.strategy, trade=trade_message(each.trade))
            for each in result.trades
        ),
        curve=_curve_message(result.curve) if result.curve else None,
        monthly_returns=map(monthly_return_message, result.monthly_returns),
        without_candles=without_candles,
        engine_version=ENGINE_VERSION,
    )
    if result.correlation is not None:
        message.correlation.CopyFrom(_correlation_message(result.cryptos, result.correlation))
    return message


def _crypto_message(crypto: CryptoResult) -> pb.PortfolioCrypto:
    no_equity, no_place, undefined_size, no_cash = crypto.skipped
    return pb.PortfolioCrypto(
        symbol=crypto.symbol,
        contribution=crypto.contribution,
        turnover=crypto.turnover,
        trade_count=crypto.trade_count,
        open_trade_count=crypto.open_trade_count,
        skipped=pb.SkippedEntries(
            no_equity=no_equity, no_place=no_place, undefined_size=undefined_size, no_cash=no_cash
        ),
    )


def _benchmark_message(benchmark: BenchmarkResult) -> pb.BenchmarkComparison:
    return pb.BenchmarkComparison(
        symbol=benchmark.symbol,
        alpha=benchmark.alpha,
        beta=benchmark.beta,
        information_ratio=benchmark.information_ratio,
        metrics=metrics_message(benchmark.metrics),
    )


def _correlation_message(
    cryptos: Sequence[CryptoResult], correlation: NDArray[np.float64]
) -> pb.PositionCorrelation:
    traded = [place for place, each in enumerate(cryptos) if each.trade_count or each.open_trade_count]
    rows, columns = np.tril_indices(len(traded), -1)
    return pb.PositionCorrelation(
        symbols=[cryptos[place].symbol for place in traded],
        values=correlation[np.ix_(traded, traded)][rows, columns].tolist(),
    )


def _curve_message(curve: PortfolioCurve) -> pb.PortfolioCurve:
    return pb.PortfolioCurve(
        open_time_s=curve.open_time_s.tolist(),
        equity=curve.equity.tolist(),
        drawdown=curve.drawdown.tolist(),
        cash=curve.cash.tolist(),
        exposure=curve.exposure.tolist(),
        position_count=curve.positions.tolist(),
        hold=curve.hold.tolist(),
    )
