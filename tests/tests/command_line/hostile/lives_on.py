"""Takes no notice of anything and goes on for as long as it can."""

import ctypes
import signal
import time

# No signal when its parent ends.
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
print("alive", flush=True)
while True:
    time.sleep(60)
