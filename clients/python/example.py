"""The tasks of docs/clients.md in Python: `python example.py TASK SYMBOL…`.

The tests run each of them, and compare the code between the marks with the page.
"""

import asyncio
import sys
import time

import backcast


def run(symbols: list[str]) -> None:
    """Backtest all of the symbols, and print results as they arrive, then everything as frames."""
    # docs: run
    with backcast.connect() as client:
        run = client.run(backcast.Rsi(period=7), symbols=symbols, start="2024-01-01", fee="0.1%")
        for result in run:
            print(result.symbol, result.metrics.total_return, f"{run.progress.done} of {run.progress.total}")
        print(run.metrics())  # one row per crypto
        print(run.trades())  # one row per trade
        print(run.equity())  # one row per candle
        print(run.summary())  # mean, median and quantiles over the cryptos
        print(run.failures())  # one row per crypto without a result: why
        print(client.candles(symbols[0], "1d"))
    # docs: end


def sweep(symbols: list[str]) -> None:
    """Try combinations of parameters on the symbols."""
    # docs: sweep
    with backcast.connect() as client:
        sweep = client.sweep(
            backcast.Rsi(), period=range(5, 31), symbols=symbols, start="2024-01-01", split="70%"
        )
        for progress in sweep:
            print(f"{progress.done} of {progress.total}")
        print(sweep.table())  # one row per combination
        print(sweep.best())  # the best trials
    # docs: end


def portfolio(symbols: list[str]) -> None:
    """Trade all of the symbols with one account."""
    # docs: portfolio
    with backcast.connect() as client:
        portfolio = client.portfolio(
            {backcast.Rsi(period=7): "40%", backcast.Supertrend(): "60%"},
            symbols=symbols,
            start="2024-01-01",
            max_positions=2,
            rank="roc(168)",
            detail="equity",
        )
        print(portfolio.metrics, portfolio.hold)  # the account, and holding all cryptos
        print(portfolio.account())  # the same as a frame, with the benchmark where there is one
        print(portfolio.cryptos())  # one row per crypto: its contribution, and why entries were skipped
        print(portfolio.equity())  # equity, cash, exposure and positions at each close
    # docs: end


async def run_in_a_loop(symbols: list[str]) -> None:
    """Do the same from an event loop."""
    # docs: asyncio
    async with backcast.aio.connect() as client:
        run = await client.run(backcast.Rsi(period=7), symbols=symbols, start="2024-01-01")
        async for result in run:
            print(result.symbol, result.metrics.total_return)
        print(await run.summary())
    # docs: end


def cancel(symbols: list[str]) -> None:
    """Leave a run after its first result."""
    # docs: cancel
    with backcast.connect() as client:
        with client.run(backcast.Rsi(), symbols=symbols, start="2015-01-01", detail="equity") as run:
            for result in run:
                print(result.symbol)
                break
        # Here, the run is over: the server computes nothing more of it.
        print(client.runs()[["run_id", "state"]])
    # docs: end


def resume(symbols: list[str]) -> None:
    """Watch a run from another client."""
    with backcast.connect() as first:
        first.run(backcast.Rsi(), symbols=symbols, start="2024-01-01", run_id="nightly").wait()
        # docs: resume
        with backcast.connect(patience=60) as client:
            run = client.watch("nightly")
            for result in run:
                print(result.symbol)
        # docs: end


def errors(symbols: list[str]) -> None:
    """Print what is wrong with a request."""
    # docs: errors
    try:
        with backcast.connect() as client:
            client.run(backcast.Rsi(period=0), symbols=[*symbols, "NOSUCHUSDT"]).wait()
    except backcast.errors.InvalidRequestError as error:
        for violation in error.violations:
            print(violation.field, violation.reason)
    except backcast.errors.BusyError as error:
        time.sleep(error.retry_after)  # then try again
    except backcast.BackcastError as error:
        print(error.reason, error)
    # docs: end


def big_results(symbols: list[str]) -> None:
    """Read results of ten years with their curves."""
    # docs: big results
    with backcast.connect() as client:
        for result in client.run(backcast.Rsi(), symbols=symbols, start="2015-01-01", detail="equity"):
            times, equity, drawdown = result.curve()  # arrays of NumPy
            print(result.symbol, len(times), "points, the last one", equity[-1], "; fell by", drawdown.max())
    # docs: end


def engine(symbols: list[str]) -> None:
    """Backtest a frame of candles in this process."""
    with backcast.connect() as client:
        frame, other = client.candles(symbols[0]), client.candles(symbols[1])
    # docs: engine
    from backcast.engine import backtest, backtest_signals, close, rsi, sma

    result = backtest(frame, backcast.Rsi(period=7), fee="0.1%", stop_loss="2atr")
    result.stats()  # a table of all metrics
    print(result.trades_frame())
    print(result.equity_frame())
    # Rules with Python's operators, and signals of your own: a boolean for each row of the frame.
    rules = backcast.rules((close > sma(200)) & (rsi(14) < 30), ~(close > sma(200)))
    print(backtest(frame, rules, direction="long-short"))
    # Rules on longer candles, which are made of the frame's own, and on another crypto, whose frame is given.
    rules = backcast.rules(close > sma(20) @ "1d", close @ symbols[1] < sma(20) @ symbols[1])
    print(backtest(frame, rules, others={symbols[1]: other}))
    rises = frame["close"] > frame["open"]
    print(backtest_signals(frame, entries=rises, exits=~rises))
    # docs: end


if __name__ == "__main__":
    task, *symbols = sys.argv[1:]
    if task == "asyncio":
        asyncio.run(run_in_a_loop(symbols))
    else:
        {
            "run": run,
            "sweep": sweep,
            "portfolio": portfolio,
            "cancel": cancel,
            "resume": resume,
            "errors": errors,
            "big-results": big_results,
            "engine": engine,
        }[task](symbols)
