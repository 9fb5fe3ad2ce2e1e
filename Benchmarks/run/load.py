"""Load, and what it cost the server."""

import os
import re
import statistics
import subprocess
from dataclasses import dataclass

from machine import cpu_seconds

LUA = os.path.join(os.path.dirname(__file__), "report.lua")


@dataclass
class Run:
    """One round of load. Latencies in milliseconds, CPU in microseconds of the server for each request."""

    rate: float
    p50: float
    p90: float
    p99: float
    p999: float
    cpu: float
    failed: int = 0


def median(runs):
    """Of each figure by itself."""
    names = Run.__dataclass_fields__
    return Run(**{name: statistics.median(getattr(run, name) for run in runs) for name in names})


def wrk(pid, url, seconds, connections=64, headers=()):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", LUA]
    for header in headers:
        command += ["-H", header]
    before = cpu_seconds(pid)
    done = subprocess.run([*command, url], check=True, capture_output=True, text=True)
    used = cpu_seconds(pid) - before
    figures = dict(re.findall(r"^(\w+)=(\S+)$", done.stdout, re.M))
    if "requests" not in figures:
        raise SystemExit(f"wrk said:\n{done.stdout}{done.stderr}")
    requests = float(figures["requests"])
    return Run(
        rate=requests / float(figures["seconds"]),
        cpu=used / requests * 1e6,
        failed=int(float(figures["failed"])),
        **{name: float(figures[name]) for name in ("p50", "p90", "p99", "p999")},
    )
