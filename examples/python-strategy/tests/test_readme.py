"""What README.md shows runs, as it stands there."""

import contextlib
import io
import os
import unittest

from . import EXAMPLES

HERE = EXAMPLES / "python-strategy"


class Readme(unittest.TestCase):
    def test_the_strategy_and_its_test_run(self):
        blocks = (HERE / "README.md").read_text().split("```python\n")[1:]
        strategy, test = (block.split("```\n")[0] for block in blocks)
        shown, names = io.StringIO(), {"__name__": "readme"}
        here = os.getcwd()
        os.chdir(HERE)
        try:
            with contextlib.redirect_stdout(shown):
                exec(strategy + test, names)
        finally:
            os.chdir(here)
        # Of a fall of 5 % from the highest price so far there are some in these months, and the cash pays for all.
        trades = names["result"].trades
        self.assertEqual({trade.side for trade in trades}, {"Buy"})
        self.assertEqual(shown.getvalue(), f"{len(trades)} {names['result'].equity}\n")


if __name__ == "__main__":
    unittest.main()
