"""A notebook with the Python client, executed against real services: what each cell shows.

Set BACKCAST_TEST_NOTEBOOK to a folder to get the pictures, for people to look at.
"""

import base64
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from backcast_engine.candles import Candles
from services.local.stack import LocalStack

CELLS = {
    "connect": "import backcast\nclient = backcast.connect({address!r})",
    "run": "options = dict(symbols={symbols}, start='2024-01-01')\n"
    "run = client.run(backcast.Rsi(period=7), detail='equity', **options)\n"
    "run.wait()",
    "result": "result = run['CLIENT0USDT']\nresult",
    "picture": "result.plot()",
    "sweep": "client.sweep(backcast.Rsi(), period=range(5, 9), **options).wait()",
    "frame": "run.metrics()",
    "engine": "from backcast.engine import backtest\n"
    "backtest(client.candles('CLIENT0USDT'), backcast.Rsi(period=7), symbol='CLIENT0USDT', fee='0.1%')",
    "client": "client",
    "close": "client.close()",
}


@pytest.fixture(scope="module")
async def outputs(
    stack: LocalStack, cryptos: dict[str, Candles], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Any]]:
    """What the cells show, by their names."""
    filled = [cell.format(address=stack.gateway_address, symbols=[*cryptos]) for cell in CELLS.values()]
    cells = [nbformat.v4.new_code_cell(cell) for cell in filled]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=None, kernel_name="python3")
    folders = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
            patch.setenv(name, str(folders))
        await client.async_execute()
    if folder := os.environ.get("BACKCAST_TEST_NOTEBOOK"):
        nbformat.write(notebook, Path(folder) / "executed.ipynb")  # type: ignore[no-untyped-call]
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)}


def html(outputs: list[Any]) -> str:
    (output,) = outputs
    shown: str = output["data"]["text/html"]
    return shown


def test_a_run_shows_progress_summary_and_results(
    outputs: dict[str, list[Any]], cryptos: dict[str, Candles]
) -> None:
    shown = html(outputs["run"])
    assert f"{len(cryptos)} of {len(cryptos)} cryptos" in shown
    assert "over the cryptos" in shown
    assert "median" in shown
    assert all(symbol in shown for symbol in cryptos)


def test_a_result_shows_its_figures(outputs: dict[str, list[Any]]) -> None:
    shown = html(outputs["result"])
    assert "CLIENT0USDT" in shown
    assert "Sharpe" in shown


def test_a_sweep_shows_its_best_trials(outputs: dict[str, list[Any]], cryptos: dict[str, Candles]) -> None:
    shown = html(outputs["sweep"])
    assert f"{4 * len(cryptos)} of {4 * len(cryptos)} backtests" in shown
    assert "best trials" in shown
    assert "period" in shown


def test_a_result_draws_its_equity_and_its_drawdown(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["picture"]
    picture = Image.open(BytesIO(base64.b64decode(output["data"]["image/png"]))).convert("RGB")
    assert picture.width > 600
    pixels = np.asarray(picture).reshape(-1, 3)
    # The blue line of the equity and the paler area of the drawdown, on white.
    is_blue = (pixels[:, 2] > pixels[:, 0] + np.uint8(40)) & (pixels[:, 0] < 200)
    assert is_blue.mean() > 0.01


def test_a_result_of_the_engine_alone_shows_its_figures(outputs: dict[str, list[Any]]) -> None:
    shown = html(outputs["engine"])
    assert "CLIENT0USDT" in shown
    assert "Sharpe" in shown


def test_frames_are_those_of_pandas(outputs: dict[str, list[Any]], cryptos: dict[str, Candles]) -> None:
    assert "total_return" in html(outputs["frame"])


def test_cells_print_nothing_beside_what_they_show(outputs: dict[str, list[Any]]) -> None:
    shown = {name: [output["output_type"] for output in cell] for name, cell in outputs.items()}
    assert shown == {name: ["execute_result"] if name not in ("connect", "close") else [] for name in CELLS}
