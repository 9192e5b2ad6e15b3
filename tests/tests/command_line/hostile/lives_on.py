"""Takes no notice of anything and goes on for as long as it can."""

import signal
import time

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
print("alive", flush=True)
while True:
    time.sleep(60)
