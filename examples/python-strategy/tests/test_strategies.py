"""The two examples on real prices."""

import json
import unittest
from decimal import Decimal

from glm import testkit
from grid import Grid
from mean import Mean

from . import EXAMPLES

PRICES = EXAMPLES / "btcusdt-1h-2020q2.csv.gz"
MONEY = {"capital": {"USDT": "3000", "BTC": "0.34"}, "fee_percent": "0.1"}


class Examples(unittest.TestCase):
    def test_the_grid_makes_the_trades_of_the_stock_grid(self):
        golden = EXAMPLES.parent / "tests/golden/backtest/quickstart.json"
        expected = json.loads(golden.read_text())
        result = testkit.run(Grid, PRICES, **MONEY)
        made = [
            [t.index, t.time, t.side, str(t.price), Decimal(t.quantity), Decimal(t.fee)] for t in result.trades
        ]
        names = ("index", "time", "side", "price")
        trades = expected["trades"]
        wanted = [[*(t[name] for name in names), Decimal(t["quantity"]), Decimal(t["fee"])] for t in trades]
        self.assertEqual(len(made), 28)
        self.assertEqual(made, wanted)
        self.assertEqual(result.position, {asset: Decimal(held) for asset, held in expected["final"]["position"].items()})

    def test_the_grid_keeps_its_extreme_within_the_interval(self):
        # Up to the band and down by the turn, twice within 30 s: the second waits, and fires once the time is over.
        prices = ("100", "103", "102.5", "106", "105.4", "105.4")
        times = (0, 1000, 2000, 3000, 4000, 32000)
        ticks = [
            {"type": "tick", "index": n, "time": time, "symbol": "BTC/USDT", "price": price}
            for n, (time, price) in enumerate(zip(times, prices))
        ]
        result = testkit.run(Grid, ticks, capital={"USDT": "1000", "BTC": "10"})
        self.assertEqual([(trade.index, trade.side) for trade in result.trades], [(2, "Sell"), (5, "Sell")])

    def test_the_mean_trades_when_the_price_leaves_its_band(self):
        ticks = [
            {"type": "tick", "index": n, "time": n * 1000, "symbol": "BTC/USDT", "price": price}
            for n, price in enumerate(("100", "100", "100", "102", "102", "96"))
        ]
        result = testkit.run(Mean, ticks, parameters={"window": 3}, capital={"USDT": "1000", "BTC": "0"})
        # 102 > 1.01 × (100 + 100 + 102) / 3; half of 1000 pays for 4.90196; 96 < 0.99 × (102 + 102 + 96) / 3.
        made = [(trade.index, trade.side, trade.quantity) for trade in result.trades]
        self.assertEqual(made, [(3, "Buy", Decimal("4.90196")), (5, "Sell", Decimal("4.90196"))])
        self.assertEqual([(index, reason) for index, reason, _ in result.said], [(3, "AboveAverage"), (5, "BelowAverage")])


if __name__ == "__main__":
    unittest.main()
