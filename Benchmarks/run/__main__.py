"""Runs what is asked for and prints a summary. See `scripts/benchmark --help`."""

import argparse
import time

import backfill
import machine
import outage
import scale
import scenarios

SCENARIOS = {**scenarios.ALL, "backfill": backfill.backfill, "outage": outage.outage}
# Only when it is asked for by name: takes a quarter of an hour and 20 GB of disk.
LARGE = {"scale": scale.scale}


def main():
    parser = argparse.ArgumentParser(prog="scripts/benchmark")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("what", nargs="*", default="all", choices=[*SCENARIOS, *LARGE, "all"])
    arguments = parser.parse_args()
    names = list(SCENARIOS) if "all" in arguments.what else arguments.what

    print(f"{machine.describe()}; {arguments.rounds} rounds of {arguments.seconds} s, medians")
    began = time.monotonic()
    house = scenarios.House()
    version = house.cluster.sql("SHOW server_version")
    print(f"PostgreSQL {version}, fsync on, 256 MB of shared buffers, on a Unix socket")
    results = []
    for name in names:
        results += {**SCENARIOS, **LARGE}[name](house, arguments.rounds, arguments.seconds)

    print(f"\n{'':36}{'measured':>12}  held to")
    for what, figure, bound, within in results:
        print(f"  {what:34}{figure:>12}  {bound:12}{'' if within else '  MISSED'}")
    print(f"\n{time.monotonic() - began:.0f} s")


main()
