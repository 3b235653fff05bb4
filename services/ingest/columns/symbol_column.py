"""The symbol column of a file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from services.domain.symbols import EXCHANGES
from services.ingest.files.text_rows import TextRows
from services.ingest.identity.file_symbol import symbol_of_content

# Keys of column names; the first of these that a file has is taken.
SYMBOL_NAMES = (
    *("symbol", "pair", "ticker", "currencypair", "pairname", "symbolname", "instid", "instrumentid"),
    *("instrumentname", "productid", "symbolid", "tradingpair", "exchangesymbol", "pairs", "tic"),
)
# Pairs of columns that form a symbol together.
BASE_NAMES = ("base", "basecurrency", "baseasset")
QUOTE_NAMES = ("quote", "quotecurrency", "quoteasset")
# Columns of these names can contain something else, such as the market `spot` or a number.
VAGUE_NAMES = ("instrument", "market", "contract", "coin", "crypto", "asset", *BASE_NAMES)
_MARKETS = frozenset(
    ("spot", "margin", "future", "futures", "swap", "perp", "perpetual", "linear", "inverse")
)
_ASSET_CLASSES = frozenset(("crypto", "cryptocurrency", "um", "cm"))


def may_be_symbol(text: str) -> bool:
    """Return whether a text in a column with a vague name can be a symbol: no number, no kind of market."""
    word = text.strip()
    is_number = word.replace(".", "", 1).isdecimal()
    is_market = word.lower() in _MARKETS | _ASSET_CLASSES or word.upper() in EXCHANGES
    return not is_number and not is_market


def symbol_by_last_columns(blocks: Iterable[TextRows], count: int, split: bool) -> Iterator[TextRows]:
    """Yield the rows without their last `count` columns, which become their symbol.

    With `split`, the columns form one symbol together. Raises InvalidInput if rows are of several cryptos.
    """
    for rows in blocks:
        symbols = [pa.array(column, pa.string()) for column in rows.columns[-count:]]
        yield replace(rows, columns=rows.columns[:-count], symbol=only_symbol(symbols, split))


def only_symbol(columns: Sequence[pa.StringArray], split: bool = False) -> str | None:
    """Return the only symbol of the columns, as it is written there; some rows may be empty.

    With `split`, the columns are base and quote. Raises InvalidInput if rows are of several cryptos.
    """
    if split:
        columns = [pc.binary_join_element_wise(*columns, "/")]
    texts = dict.fromkeys(text for column in columns for text in pc.unique(column).to_pylist())
    found = [text for text in texts if text and text.strip(" /")]
    if len(found) > 1:
        symbol_of_content(found)
    return found[0] if found else None
