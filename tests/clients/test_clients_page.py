"""docs/clients.md: its Python program does what the page says."""

import asyncio
import re
import sys
from pathlib import Path

from services.domain.candles import Candles
from services.local.stack import LocalStack

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"


async def test_the_python_program_of_the_page_prints_every_frame(
    stack: LocalStack, cryptos: dict[str, Candles], tmp_path: Path
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    # Other tests have cryptos there too.
    replaced = {
        "127.0.0.1:50051": stack.gateway_address,
        'symbols="all"': f"symbols={[*cryptos]}",
        "sweep(backcast.Rsi(),": f"sweep(backcast.Rsi(), symbols={[*cryptos]},",
        "SYN001USDT": "CLIENT0USDT",
    }
    for text, of_the_stack in replaced.items():
        assert text in code
        code = code.replace(text, of_the_stack)
    program = tmp_path / "program.py"
    program.write_text(code)
    process = await asyncio.create_subprocess_exec(sys.executable, program, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    printed = out.decode()
    assert f"{len(cryptos)} of {len(cryptos)}" in printed
    for column in ("total_return", "entry_time", "drawdown", "statistic", "reason", "combination", "volume"):
        assert column in printed
