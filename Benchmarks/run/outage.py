"""What a sender notices at a steady rate while all is well, while PostgreSQL restarts, and while the spool drains."""

import json
import statistics
import subprocess
import time

import machine
from load import Run, median
from scenarios import CONNECTIONS, DEVICES, figure, line

RATE = 2000
PROMISE = 2500


class Load:
    """`freshtrack simulate` beside whatever happens meanwhile."""

    def __init__(self, house, program, seconds, rate):
        command = [machine.Program.path, "simulate", "--url", f"http://127.0.0.1:{program.port}", "--json"]
        command += ["--key", house.keys["ingest"], "--rate", str(rate), "--devices", str(DEVICES)]
        command += ["--connections", str(CONNECTIONS), "--pipeline", "1", "--duration", f"{seconds}s"]
        self.program = program
        self.before = machine.cpu_seconds(program.pid)
        self.process = machine.start(command, stdout=subprocess.PIPE, text=True)

    def run(self):
        """Waits for its end. The second value is what it counted."""
        report = json.loads(self.process.communicate()[0])
        machine.stop(self.process)
        latency = report["latencyMs"]
        used = machine.cpu_seconds(self.program.pid) - self.before
        run = Run(
            rate=report["acknowledged"] / report["seconds"], p50=latency["p50"], p90=latency["p90"], p99=latency["p99"],
            p999=latency["p999"], cpu=used / report["acknowledged"] * 1e6,
            failed=report["sent"] - report["acknowledged"],
        )
        return run, report


def until_empty(program):
    while figure(program, "spool_records") > 0:
        time.sleep(0.01)


def outage(house, rounds, seconds):
    cluster = house.cluster
    calm, broken, draining, away, drained, longest = [], [], [], [], [], []
    memory = failed = 0
    for _ in range(rounds):
        cluster.sql("TRUNCATE sensor_readings")
        program = machine.Program(cluster, SPOOL_DIR=f"{cluster.folder}/spool", SPOOL_MAX_BYTES=str(16 << 30))
        Load(house, program, 2, RATE).run()
        run, _ = Load(house, program, seconds, RATE).run()
        calm.append(run)

        load = Load(house, program, seconds + 3, RATE)
        time.sleep(1)
        began = time.monotonic()
        cluster.down()
        cluster.up()
        away.append(time.monotonic() - began)
        run, report = load.run()
        broken.append(run)
        longest.append(report["latencyMs"]["max"])
        until_empty(program)

        # Enough of them that they last for as long as the load.
        cluster.down()
        Load(house, program, 2, RATE).run()
        Load(house, program, seconds, 0).run()
        depth = figure(program, "spool_records")
        cluster.up()
        load = Load(house, program, seconds, RATE)
        began = time.monotonic()
        run, report = load.run()
        longest.append(report["latencyMs"]["max"])
        draining.append(run)
        until_empty(program)
        drained.append(depth / (time.monotonic() - began))

        failed += sum(runs[-1].failed for runs in (calm, broken, draining))
        memory = max(memory, machine.resident_mib(program.pid, peak=True))
        program.stop()
    print(f"\noutage, {RATE:,} uplinks/s of {DEVICES:,} devices, {CONNECTIONS} connections, latency from when each was due")
    line("all is well", median(calm))
    line("PostgreSQL restarts", median(broken))
    line("the spool drains", median(draining))
    print(
        f"  PostgreSQL was away for {statistics.median(away):.1f} s; drained {statistics.median(drained):,.0f}/s beside "
        f"the load; longest {max(longest):,.0f} ms; resident at most {memory:.1f} MiB"
    )
    return [
        ("outage: not acknowledged", f"{failed:.0f}", "0", failed == 0),
        ("outage: longest answer", f"{max(longest):,.0f} ms", "<= 2,500 ms", max(longest) <= PROMISE),
    ]
