"""The README's Python client does what the README says."""

import asyncio
import re
import sys
from pathlib import Path

from backcast_engine.candles import Candles
from services.local.stack import LocalStack

README = Path(__file__).parents[2] / "README.md"


async def test_the_python_client_prints_every_crypto(
    stack: LocalStack, market: dict[str, Candles], tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    client = tmp_path / "client.py"
    # Other tests have cryptos there too, and the default window ends with the newest candle of all.
    of_the_market = code.replace("Rsi(period=7)", f"Rsi(period=7), symbols={[*market]}")
    assert of_the_market != code
    client.write_text(of_the_market.replace("127.0.0.1:50051", stack.gateway_address))
    process = await asyncio.create_subprocess_exec(sys.executable, client, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    printed = dict(line.split() for line in out.decode().splitlines())
    assert set(market) <= set(printed)
    assert all(re.fullmatch(r"[+-]\d+\.\d%", value) for value in printed.values())
