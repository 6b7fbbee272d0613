# Registers a million lambdas, and prints how long that and their run at exit
# took together, in milliseconds.

import atexit
import itertools
import time

COUNT = 1_000_000


def main():
    ran = itertools.count()

    def last():
        took = time.perf_counter() - start
        assert next(ran) == COUNT
        print(took * 1e3)

    atexit.register(last)
    start = time.perf_counter()
    for _ in range(COUNT):
        atexit.register(lambda: next(ran))


main()
