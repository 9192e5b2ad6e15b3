"""Trading strategies in Python for glm.

A strategy is a class with callbacks. The worker that starts it keeps the money, the orders and its state; the strategy
only says what it wants:

    class Mean(glm.Strategy):
        def on_tick(self, tick, context):
            ...

    if __name__ == "__main__":
        glm.run(Mean)

All numbers of money are `decimal.Decimal`; a float raises. The same events must give the same actions, so read no clock,
use no chance and do no input or output; `print` goes to the worker's log.
"""

from .messages import Bar, Bars, Instrument, Order, OrderUpdate, Position, Risk, Tick, Timer, decimal
from .session import run
from .strategy import Context, Strategy

__all__ = ["Bar", "Bars", "Context", "Instrument", "Order", "OrderUpdate", "Position", "Risk", "Strategy", "Tick"]
__all__ += ["Timer", "decimal", "run"]
