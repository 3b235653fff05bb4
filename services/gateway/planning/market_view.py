"""The cryptos at one version of the data, as far as runs have asked for them."""

from collections import OrderedDict

from services.gateway.planning.crypto_data import CryptoData

# Runs at the same time mostly see the data up to the same few times.
_MOST_LISTS = 16


class MarketView:
    """Lists of cryptos from data of one version: one for each time before which runs see the data."""

    def __init__(self, version: str) -> None:
        """`version` is the data service's; empty where there is none that all of a list is of."""
        self.version = version
        # By seen_before_s, the one that was used last at the end.
        self._lists: OrderedDict[int | None, _List] = OrderedDict()

    def cryptos(self, symbols: list[str], seen_before_s: int | None) -> list[CryptoData] | None:
        """Return the cryptos of `symbols` in their order; all cryptos where none or an unknown one is named.

        None where they have not been listed.
        """
        if seen_before_s not in self._lists:
            return None
        self._lists.move_to_end(seen_before_s)
        return self._lists[seen_before_s].cryptos(symbols)

    def add(self, symbols: list[str], seen_before_s: int | None, cryptos: list[CryptoData]) -> None:
        """Add all cryptos of `symbols` that there are; no symbols means all."""
        if seen_before_s not in self._lists:
            self._lists[seen_before_s] = _List()
            if len(self._lists) > _MOST_LISTS:
                self._lists.popitem(last=False)
        self._lists[seen_before_s].add(cryptos, is_all=not symbols)


class _List:
    def __init__(self) -> None:
        self._by_symbol: dict[str, CryptoData] = {}
        self._has_all = False

    def cryptos(self, symbols: list[str]) -> list[CryptoData] | None:
        if symbols and all(symbol in self._by_symbol for symbol in symbols):
            return [self._by_symbol[symbol] for symbol in symbols]
        return list(self._by_symbol.values()) if self._has_all else None

    def add(self, cryptos: list[CryptoData], *, is_all: bool) -> None:
        if is_all:
            # In order of symbols.
            self._by_symbol, self._has_all = {}, True
        if is_all or not self._has_all:
            self._by_symbol.update((crypto.symbol, crypto) for crypto in cryptos)
