"""Reads a market server with ccxt, unmodified: python3 client.py REST STREAM."""

import asyncio
import sys

import ccxt
import ccxt.pro

rest, stream = sys.argv[1:]
SYMBOL = "BTC/USDT"
OPTIONS = {
    "enableRateLimit": False,
    # Documented: which markets are loaded; and no request for currencies, which needs a key.
    "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
}


def point(exchange):
    """Documented: the base URLs can be overridden."""
    exchange.urls["api"]["public"] = rest + "/api/v3"
    if "ws" in exchange.urls["api"]:
        exchange.urls["api"]["ws"]["spot"] = stream + "/ws"
    return exchange


def requests():
    exchange = point(ccxt.binance(OPTIONS))
    market = exchange.load_markets()[SYMBOL]
    assert market["active"] and market["precision"]["price"] == 0.01, market
    assert abs(exchange.fetch_time() / 1000 - __import__("time").time()) < 3600

    ticker = exchange.fetch_ticker(SYMBOL)
    assert ticker["bid"] < ticker["ask"] and ticker["low"] <= ticker["last"] <= ticker["high"], ticker
    assert exchange.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] > 0

    bars = exchange.fetch_ohlcv(SYMBOL, "1m", limit=30)
    assert len(bars) == 30 and all(b[0] - a[0] == 60_000 for a, b in zip(bars, bars[1:])), bars
    since = exchange.fetch_ohlcv(SYMBOL, "5m", since=bars[0][0], limit=3)
    assert len(since) == 3 and since[0][0] >= bars[0][0], since

    trades = exchange.fetch_trades(SYMBOL, limit=100)
    ids = [int(trade["id"]) for trade in trades]
    assert ids == sorted(set(ids)) and len(ids) == 100, ids
    book = exchange.fetch_order_book(SYMBOL, 5)
    assert book["bids"][0][0] < book["asks"][0][0] and len(book["bids"]) == 5, book
    try:
        exchange.fetch_ohlcv(SYMBOL, "1m", params={"symbol": "NOSUCH"})
        raise AssertionError("an unknown symbol was answered")
    except ccxt.BadSymbol:
        pass


async def streams():
    exchange = point(ccxt.pro.binance(OPTIONS))
    try:
        seen = []
        while len(seen) < 30:
            seen += [int(trade["info"]["t"]) for trade in await exchange.watch_trades(SYMBOL)]
            seen = sorted(set(seen))
        assert seen == list(range(seen[0], seen[0] + len(seen))), seen
        ticker = await exchange.watch_ticker(SYMBOL)
        assert ticker["last"] > 0, ticker
        bars = await exchange.watch_ohlcv(SYMBOL, "1m")
        assert bars and bars[-1][4] > 0, bars
        quotes = await exchange.watch_bids_asks([SYMBOL])
        assert quotes[SYMBOL]["bid"] < quotes[SYMBOL]["ask"], quotes
    finally:
        await exchange.close()


requests()
asyncio.run(asyncio.wait_for(streams(), 60))
