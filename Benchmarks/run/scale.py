"""What an uplink costs with few devices and many, and with an empty table of readings and a full one."""

import statistics
import subprocess
import time

import machine
from scenarios import House, line, simulate
from load import median

FEW = 100
MANY = 100_000
ROWS = 50_000_000
RATE = 3000
DAYS = 60

# Written without a log and without syncs: what is measured is written with both.
FILLING = ["fsync=off", "wal_level=minimal", "max_wal_senders=0", "maintenance_work_mem=1GB", "max_wal_size=20GB"]


def fill(cluster, rows):
    """Readings of all devices over the last months, at even distances, into a table that keeps its indexes."""
    began = time.monotonic()
    cluster.down()
    cluster.up(FILLING)
    names = ("sensor_readings_device", "sensor_readings_without_device", "sensor_readings_unit")
    indexes = [cluster.sql(f"SELECT pg_get_indexdef('{name}'::regclass)", "full") for name in names]
    for name in names:
        cluster.sql(f"DROP INDEX {name}", "full")
    cluster.sql(f"SELECT ensure_reading_partitions((now() AT TIME ZONE 'UTC')::date - {DAYS}, 6)", "full")
    partitions = cluster.sql(
        "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'sensor_readings'::regclass", "full"
    ).split()
    each = rows // MANY
    jobs = [
        cluster.begin(
            f"""
            BEGIN;
            TRUNCATE {partition};
            INSERT INTO {partition} (recorded_at, received_at, organization_id, unit_id, device_id, temperature, humidity,
                battery, probe_temperature, ambient_temperature, battery_voltage, signal_strength, snr, source, f_port,
                f_cnt, session_key_id, raw_payload)
              SELECT at, at, s.organization_id, s.unit_id, s.device_id, 3.1, 40.8, 90, 3.1, 20.2, 3.05, -61, 9.5, 'ttn',
                2, n, 'AZoBAgMEBQYHCAkKCwwNDg==', '\\xcc19011601980101387fff'
              FROM generate_series(1, {each}) n,
                LATERAL (SELECT date_trunc('hour', now()) - n * interval '{DAYS} days' / {each} AS at) t,
                device_assignments s
              WHERE at >= '{start}' AND at < '{end}';
            COMMIT
            """,
            "full",
        )
        for partition, start, end in bounds(cluster, partitions)
    ]
    for job in jobs:
        if job.wait() != 0:
            raise SystemExit("the table could not be filled")
    for index in indexes:
        cluster.sql(index.replace(" ON ONLY ", " ON "), "full")
    for partition in partitions:
        cluster.sql(f"ALTER TABLE {partition} SET (autovacuum_enabled = off)", "full")
    cluster.sql("ANALYZE sensor_readings", "full")
    cluster.down()
    cluster.up()
    size = cluster.sql("SELECT pg_size_pretty(pg_database_size('full'))")
    print(f"\n{rows:,} readings of {MANY:,} devices over {DAYS} days, {size}, in {time.monotonic() - began:.0f} s")


def bounds(cluster, partitions):
    """The months with their first instants; without the table of what has none."""
    for partition in partitions:
        found = cluster.sql(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = '" + partition + "'::regclass", "full"
        ).split("'")
        if len(found) == 5:
            yield partition, found[1], found[3]


class Place:
    """A database with its program, as it is measured in turns with the others: at a rate, and with as many as are answered."""

    def __init__(self, name, house, database, devices):
        self.name, self.house, self.database, self.devices = name, house, database, devices
        self.steady, self.full, self.steady_postgres, self.full_postgres = [], [], [], []
        self.memory = 0

    def round(self, cluster, seconds):
        program = machine.Program(cluster, DATABASE_URL=cluster.url(self.database))
        key = self.house.keys["ingest"]
        # Each device once: what is remembered is remembered, and the pages that change are in the log since the checkpoint.
        simulate(program.pid, program.port, key, 60, devices=self.devices, count=max(self.devices, 10_000))
        for rate, runs, postgres in ((RATE, self.steady, self.steady_postgres), (0, self.full, self.full_postgres)):
            before = cluster.cpu_seconds()
            run, stored, _ = simulate(program.pid, program.port, key, seconds, rate, self.devices)
            postgres.append((cluster.cpu_seconds() - before) / stored * 1e6)
            runs.append(run)
        self.memory = max(self.memory, machine.resident_mib(program.pid, peak=True))
        program.stop()

    def show(self):
        line(self.name, median(self.steady))
        line("", median(self.full))
        steady, full = statistics.median(self.steady_postgres), statistics.median(self.full_postgres)
        print(
            f"{'':28}PostgreSQL {steady:.0f} and {full:.0f} us CPU for each; resident at most {self.memory:.1f} MiB"
        )


def ratios(what, larger, smaller):
    """Of the costs with as many uplinks as are answered: what a flush costs by itself is shared by many then."""
    pairs = list(zip(larger.full, smaller.full, larger.full_postgres, smaller.full_postgres))
    server = statistics.median(a.cpu / b.cpu for a, b, _, _ in pairs)
    postgres = statistics.median(c / d for _, _, c, d in pairs)
    both = statistics.median((a.cpu + c) / (b.cpu + d) for a, b, c, d in pairs)
    p99 = statistics.median(a.p99 / b.p99 for a, b in zip(larger.steady, smaller.steady))
    print(f"  {what}: {server:.2f} times the server's CPU, {postgres:.2f} times PostgreSQL's, p99 {p99:.2f} times")
    return (f"scale: {what}, CPU", f"{both:.2f}", "<= 1.30", both <= 1.3)


def scale(house, rounds, seconds, rows=ROWS):
    cluster = house.cluster
    few = House(cluster, "few", FEW)
    many = House(cluster, "many", MANY)
    cluster.sql('CREATE DATABASE "full" TEMPLATE many')
    fill(cluster, rows)
    places = [
        Place(f"{FEW} devices", few, "few", FEW),
        Place(f"{MANY:,} devices", many, "many", MANY),
        Place(f"and {rows / 1e6:.0f} million rows", many, "full", MANY),
    ]
    for _ in range(rounds):
        for place in places:
            place.round(cluster, seconds)
    print(f"\nscale, at {RATE:,} uplinks/s and at the most")
    for place in places:
        place.show()
    results = [ratios("devices", places[1], places[0]), ratios("rows", places[2], places[1])]
    for name in ("few", "many", "full"):
        cluster.sql(f'DROP DATABASE "{name}"')
    return results
