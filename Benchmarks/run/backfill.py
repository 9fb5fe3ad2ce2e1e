"""Readings of the past: `freshtrack import readings` next to psql's \\copy of the same rows."""

import datetime
import statistics
import time

import machine
from scenarios import DEVICES, copy

READINGS = 150


def write_file(path):
    """A day of all sensors, as an export of another system has it: by time."""
    start = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(days=20)
    with open(path, "w") as file:
        file.write("dev_eui,recorded_at,temperature,humidity,battery_voltage,rssi,snr,f_cnt\n")
        for number in range(READINGS):
            for device in range(DEVICES):
                at = start + datetime.timedelta(seconds=600 * number + device % 600)
                hundredths = (device * 7919 + number * 104729) % 800
                file.write(
                    f"A84041000D{device:06X},{at:%Y-%m-%dT%H:%M:%SZ},{hundredths / 100:.2f},{40 + number % 30}.5,3.05,"
                    f"{-70 - device % 40},{number % 12}.5,{number}\n"
                )
    return READINGS * DEVICES


def backfill(house, rounds, seconds):
    """The whole command, from start to end, with every check and the units' past judged."""
    cluster = house.cluster
    cluster.sql("UPDATE device_assignments SET assigned_from = '-infinity'")
    file = f"{cluster.folder}/history.csv"
    rows = write_file(file)
    command = ["import", "readings", file, "--organization", house.organization, "--json"]
    ours, theirs, again = [], [], 0
    for _ in range(rounds):
        cluster.sql("TRUNCATE sensor_readings, rollup_marks")
        cluster.sql("CHECKPOINT")
        began = time.monotonic()
        report = machine.freshtrack(cluster, *command)
        ours.append(rows / (time.monotonic() - began))
        if report["stored"] != rows:
            raise SystemExit(f"{report['stored']} of {rows} rows were stored")
        theirs.append(copy(cluster))
        began = time.monotonic()
        report = machine.freshtrack(cluster, *command)
        again = rows / (time.monotonic() - began)
        if report["duplicates"] != rows:
            raise SystemExit("rows were stored twice")
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"\nimport of {rows:,} readings of {DEVICES:,} devices")
    print(f"  freshtrack import       {statistics.median(ours):10,.0f}/s")
    print(f"  \\copy by psql           {statistics.median(theirs):10,.0f}/s")
    print(f"  the same file again     {again:10,.0f}/s")
    return [("backfill: of \\copy", f"{ratio:.2f}", ">= 0.80", ratio >= 0.8)]
