"""A strategy for measuring: it only counts what it is told."""

import json, sys
sys.stdin.readline()
print('{"v":1,"type":"ready"}', flush=True)
for line in sys.stdin:
    told = json.loads(line)
    if told["type"] == "stop":
        break
    print('{"v":1,"type":"answer","batch":%d,"consumed":%d,"state":1}' % (told["batch"], len(told["events"])), flush=True)
