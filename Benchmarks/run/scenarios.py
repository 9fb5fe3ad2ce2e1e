"""What is measured. Each scenario prints its figures and returns (what, figure, held to, within) for the summary."""

import json
import os
import resource
import socket
import statistics
import subprocess
import time

import machine
from load import Run, median, wrk

DEVICES = 2000
CONNECTIONS = 64
RIVALS = os.environ["RIVALS"]
PYTHON = os.environ["RIVALS_PYTHON"]


class House:
    """A migrated database with one organization: 2,000 units with a sensor each, unless another number is asked for."""

    def __init__(self, cluster=None, database="freshtrack", devices=DEVICES):
        if cluster is None:
            cluster = machine.PostgreSQL()
            cluster.fill_log()
        self.cluster = cluster
        self.database = database
        self.cluster.sql(f"CREATE DATABASE {database}", database="postgres")
        self.command("migrate")
        made = self.command("org", "create", "--name", "Benchmark", "--owner-email", "a@example.com", "--json")
        self.organization = made["organizationId"]
        self.keys = {
            scope: self.command("apikey", "create", "--org", self.organization, "--scope", scope, "--json")["key"]
            for scope in ("ingest", "read")
        }
        self.furnish(devices)

    def command(self, *words):
        return machine.freshtrack(self.cluster, *words, database=self.database)

    def furnish(self, devices):
        self.cluster.sql(
            f"""
            WITH o AS (SELECT '{self.organization}'::uuid AS id),
            s AS (INSERT INTO sites (organization_id, name) SELECT id, 'Site' FROM o RETURNING *),
            a AS (INSERT INTO areas (organization_id, site_id, name)
              SELECT organization_id, id, 'Area' FROM s RETURNING *)
            INSERT INTO units (organization_id, area_id, name, unit_type, temp_unit, temp_min, temp_max)
              SELECT organization_id, id, 'Unit ' || n, 'fridge', 'C', -30, 30
              FROM a, generate_series(0, {devices - 1}) n;
            INSERT INTO unit_limits (organization_id, unit_id, valid_from, temp_min, temp_max, hysteresis,
                confirm_seconds_door_closed, confirm_seconds_door_open, expected_interval_seconds)
              SELECT organization_id, id, '-infinity', temp_min, temp_max, 0.5, 600, 1200, 1200 FROM units;
            INSERT INTO unit_states (unit_id, organization_id) SELECT id, organization_id FROM units
              ON CONFLICT DO NOTHING;
            INSERT INTO devices (organization_id, dev_eui, name, model, status)
              SELECT organization_id, 'A84041000D' || lpad(upper(to_hex(split_part(name, ' ', 2)::int)), 6, '0'),
                'Sensor ' || split_part(name, ' ', 2), 'LHT65N', 'active' FROM units;
            INSERT INTO device_states (device_id, organization_id) SELECT id, organization_id FROM devices
              ON CONFLICT DO NOTHING;
            INSERT INTO device_assignments (organization_id, device_id, unit_id, assigned_from)
              SELECT d.organization_id, d.id, u.id, now() - interval '1 day' FROM devices d
              JOIN units u ON u.name = replace(d.name, 'Sensor', 'Unit');
            """,
            self.database,
        )
        self.cluster.sql("ANALYZE", self.database)


def line(name, run):
    print(
        f"  {name:24}{run.rate:10,.0f}/s   p50 {run.p50:6.2f}  p90 {run.p90:6.2f}  p99 {run.p99:6.2f}  "
        f"p99.9 {run.p999:6.2f} ms   {run.cpu:7.1f} us CPU" + (f"   {run.failed:.0f} failed" if run.failed else "")
    )


def health(house, rounds, seconds):
    """In turns, on one loop each: the real program and the least that answers HTTP, with the same bytes."""
    program = machine.Program(house.cluster, LOOPS="1")
    results = []
    for path in ("/health/live", "/health"):
        with socket.create_connection(("127.0.0.1", program.port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n".encode())
            answer = connection.recv(65536)
        file = f"{house.cluster.folder}/answer"
        with open(file, "wb") as out:
            out.write(answer)
        port = machine.free_port()
        bare = machine.start([f"{RIVALS}/bare-loop", str(port), file])
        machine.wait_until_ready(port, path)
        ours, theirs = [], []
        for _ in range(rounds):
            theirs.append(wrk(bare.pid, f"http://127.0.0.1:{port}{path}", seconds))
            ours.append(wrk(program.pid, f"http://127.0.0.1:{program.port}{path}", seconds))
        machine.stop(bare)
        print(f"\n{path}, {len(answer)} bytes, one loop, wrk -t1 -c64")
        line("bare loop", median(theirs))
        line("freshtrack", median(ours))
        ratio = statistics.median(a.rate / b.rate for a, b in zip(ours, theirs))
        print(f"  ratio {ratio:.2f}, resident at most {machine.resident_mib(program.pid, peak=True):.1f} MiB")
        results.append((f"{path}: of the bare loop", f"{ratio:.2f}", ">= 0.80", ratio >= 0.8))
    program.stop()
    return results


def simulate(pid, port, key, seconds, rate=0, devices=DEVICES, count=None):
    """The program's own simulator: real uplinks, every one different, from one thread."""
    command = [machine.Program.path, "simulate", "--url", f"http://127.0.0.1:{port}", "--key", key, "--json"]
    command += ["--rate", str(rate), "--devices", str(devices), "--connections", str(CONNECTIONS), "--pipeline", "1"]
    command += ["--count", str(count)] if count else []
    before = machine.family_cpu_seconds(pid)
    start = os.times()
    done = subprocess.run([*command, "--duration", f"{seconds}s"], check=True, capture_output=True, text=True)
    end = os.times()
    report = json.loads(done.stdout)
    stored = report["byOutcome"].get("stored", 0)
    if stored == 0:
        raise SystemExit(f"nothing was stored: {done.stdout}")
    latency = report["latencyMs"]
    used = machine.family_cpu_seconds(pid) - before
    run = Run(
        rate=stored / report["seconds"], p50=latency["p50"], p90=latency["p90"], p99=latency["p99"],
        p999=latency["p999"], cpu=used / stored * 1e6, failed=report["sent"] - stored,
    )
    sender = end.children_user + end.children_system - start.children_user - start.children_system
    return run, stored, sender / report["sent"] * 1e6


def copy(cluster, batch=None):
    """The rows that are stored now, once more, by COPY into a table with the same indexes: rows a second. With a commit for
    every `batch` of them, or one for all."""
    cluster.sql("DROP TABLE IF EXISTS copied")
    cluster.sql("CREATE TABLE copied (LIKE sensor_readings INCLUDING ALL) PARTITION BY RANGE (recorded_at)")
    cluster.sql("CREATE TABLE copied_default PARTITION OF copied DEFAULT")
    file = f"{cluster.folder}/rows"
    cluster.sql(f"\\copy (SELECT * FROM sensor_readings ORDER BY received_at) TO '{file}'")
    with open(file) as source:
        rows = source.readlines()
    size = batch or len(rows)
    with open(file, "w") as script:
        for start in range(0, len(rows), size):
            script.writelines(["COPY copied FROM STDIN;\n", *rows[start : start + size], "\\.\n"])
    cluster.sql("CHECKPOINT")
    start = time.monotonic()
    cluster.run(file)
    elapsed = time.monotonic() - start
    cluster.sql("DROP TABLE copied")
    return len(rows) / elapsed


def answered_unread(house, seconds):
    """The same uplinks to the bare loop: what the load and the kernel leave to a server that does nothing."""
    body = b'{"success":true,"status":"stored"}'
    file = f"{house.cluster.folder}/answer"
    with open(file, "wb") as out:
        out.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    port = machine.free_port()
    bare = machine.start([f"{RIVALS}/bare-loop", str(port), file])
    machine.wait_until_listening(port)
    run = simulate(bare.pid, port, "none", seconds)[0]
    machine.stop(bare)
    return run


def measured(house, rival, seconds):
    """What a server that is not ours does with the same uplinks. Ends it."""
    process, port = rival
    machine.wait_until_listening(port)
    # Its workers may still be starting.
    simulate(process.pid, port, "none", 1)
    house.cluster.sql("TRUNCATE sensor_readings")
    house.cluster.sql("CHECKPOINT")
    run = simulate(process.pid, port, "none", seconds)[0]
    machine.stop(process)
    return run


def one_insert_server(house):
    port = machine.free_port()
    return machine.start([f"{RIVALS}/one-insert-server", str(port), house.cluster.url(), house.organization]), port


def plain_server(house):
    port = machine.free_port()
    command = [f"{PYTHON}/bin/uvicorn", "plain:app", "--workers", str(os.cpu_count()), "--port", str(port)]
    environment = {**os.environ, "DATABASE_FOLDER": house.cluster.folder}
    folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "plain-server")
    return machine.start([*command, "--log-level", "error"], cwd=folder, env=environment), port


def ingest(house, rounds, seconds):
    """Uplinks in, next to COPY of the same rows, to servers with one INSERT for each request, and to no server at all."""
    cluster = house.cluster
    ours, copies, plain, inserts, unread, senders = [], [], [], [], [], []
    postgres_cpu = []
    memory = batch = 0
    for _ in range(rounds):
        program = machine.Program(cluster)
        simulate(program.pid, program.port, house.keys["ingest"], 1)
        cluster.sql("TRUNCATE sensor_readings")
        cluster.sql("CHECKPOINT")
        before = cluster.cpu_seconds()
        run, stored, sender = simulate(program.pid, program.port, house.keys["ingest"], seconds)
        postgres_cpu.append((cluster.cpu_seconds() - before) / stored * 1e6)
        memory = max(memory, machine.resident_mib(program.pid, peak=True))
        batch = round(
            figure(program, "ingest_batch_size_sum") / figure(program, "ingest_batch_size_count")
        )
        program.stop()
        ours.append(run)
        senders.append(sender)
        copies.append((copy(cluster), copy(cluster, batch)))
        plain.append(measured(house, plain_server(house), seconds))
        inserts.append(measured(house, one_insert_server(house), seconds))
        unread.append(answered_unread(house, seconds))
    best = median(ours)
    program = machine.Program(cluster)
    simulate(program.pid, program.port, house.keys["ingest"], 1)
    halves = [
        simulate(program.pid, program.port, house.keys["ingest"], seconds, rate=int(best.rate / 2))[0]
        for _ in range(rounds)
    ]
    program.stop()
    half = median(halves)
    whole, often = (statistics.median(rates) for rates in zip(*copies))
    print(f"\ningest, {DEVICES:,} devices, {CONNECTIONS} connections, one request on its way on each")
    line("freshtrack", best)
    line("at half of that", half)
    line("FastAPI and asyncpg", median(plain))
    line("our rooms, one INSERT", median(inserts))
    line("answered unread", median(unread))
    print(f"  COPY, one transaction   {whole:10,.0f}/s")
    print(f"  COPY, {batch:3} in each       {often:10,.0f}/s")
    print(
        f"  CPU for each uplink besides: PostgreSQL {statistics.median(postgres_cpu):.0f} us, "
        f"the load {statistics.median(senders):.0f} us; resident at most {memory:.1f} MiB"
    )
    to_whole, to_often = (statistics.median(a.rate / b for a, b in zip(ours, rates)) for rates in zip(*copies))
    to_plain = statistics.median(a.rate / b.rate for a, b in zip(ours, plain))
    to_insert = statistics.median(a.rate / b.rate for a, b in zip(ours, inserts))
    return [
        ("ingest: of COPY, one transaction", f"{to_whole:.2f}", ">= 0.35", to_whole >= 0.35),
        ("ingest: of COPY, as many commits", f"{to_often:.2f}", ">= 0.35", to_often >= 0.35),
        ("ingest: times FastAPI and asyncpg", f"{to_plain:.1f}", ">= 8", to_plain >= 8),
        ("ingest: times our rooms, one INSERT", f"{to_insert:.1f}", "", True),
        ("ingest: p99 at half of the most", f"{half.p99:.1f} ms", "<= 10 ms", half.p99 <= 10),
        ("ingest: resident memory", f"{memory:.0f} MiB", "<= 64 MiB", memory <= 64),
    ]


def readings(house, rounds, seconds):
    """A page of 100 readings by an API key, next to the same query by pgbench."""
    cluster = house.cluster
    unit = cluster.sql("SELECT id FROM units WHERE name = 'Unit 0'")
    cluster.sql(
        f"""
        TRUNCATE sensor_readings;
        INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, device_id, temperature, humidity, battery,
            probe_temperature, ambient_temperature, battery_voltage, signal_strength, snr, source, f_port, f_cnt,
            session_key_id, raw_payload)
          SELECT now() - n * interval '5 minutes', u.organization_id, u.id, d.id, 3.1, 40.8, 90, 3.1, 20.2, 3.05, -61,
            9.5, 'ttn', 2, n, 'AZoBAgMEBQYHCAkKCwwNDg==', '\\xcc19011601980101387fff'
          FROM units u JOIN devices d ON d.name = replace(u.name, 'Unit', 'Sensor'), generate_series(1, 200) n
          WHERE right(u.name, 1) = '0';
        ANALYZE sensor_readings
        """
    )
    program = machine.Program(cluster)
    path = f"/api/orgs/{house.organization}/units/{unit}/readings?limit=100"
    header = {"X-API-Key": house.keys["read"]}
    status, body = machine.get(program.port, path, header)
    count = len(json.loads(body)) if status == 200 else 0
    if count != 100:
        raise SystemExit(f"the page has {count} readings: {status} {body[:200]}")
    script = f"{cluster.folder}/page.sql"
    with open(script, "w") as file:
        file.write(PAGE.format(organization=house.organization, unit=unit))
    ours, theirs, shares = [], [], []
    for _ in range(rounds):
        before = cluster.cpu_seconds()
        command = [f"{cluster.programs}/pgbench", "-n", "-M", "prepared", "-c8", "-j1", f"-T{seconds}", "-f", script]
        done = subprocess.run(
            [*command, "freshtrack"], env=cluster.environment, check=True, capture_output=True, text=True
        )
        rate = float(done.stdout.split("tps = ")[1].split()[0])
        theirs.append((rate, (cluster.cpu_seconds() - before) / (rate * seconds) * 1e6))
        before = cluster.cpu_seconds()
        run = wrk(program.pid, f"http://127.0.0.1:{program.port}{path}", seconds, 16, [f"X-API-Key: {header['X-API-Key']}"])
        shares.append((cluster.cpu_seconds() - before) / (run.rate * seconds) * 1e6)
        ours.append(run)
    memory = machine.resident_mib(program.pid, peak=True)
    program.stop()
    best = median(ours)
    print(f"\n100 readings of a unit, {len(body):,} bytes, wrk -t1 -c16")
    line("freshtrack", best)
    print(f"    PostgreSQL beside it: {statistics.median(shares):.0f} us CPU a request; resident at most {memory:.1f} MiB")
    rate, cpu = (statistics.median(values) for values in zip(*theirs))
    print(f"  the query by pgbench -c8{rate:10,.0f}/s   {cpu:7.1f} us CPU of PostgreSQL")
    return [("100 readings: server CPU", f"{best.cpu:.0f} us", "< 150 us", best.cpu < 150)]


# What the program asks for a page, without the conversion to the caller's unit of temperature.
PAGE = """
SELECT r.id, r.unit_id, r.device_id, from_celsius(r.temperature, shown), r.humidity,
  from_celsius(r.probe_temperature, shown), from_celsius(r.ambient_temperature, shown), r.battery, r.battery_voltage,
  r.signal_strength, r.snr, r.door_open, r.raw_payload, r.f_port, r.f_cnt, r.recorded_at, r.received_at, r.source,
  r.simulated, shown
FROM sensor_readings r, (SELECT temp_unit AS shown FROM units WHERE id = '{unit}') u
WHERE r.organization_id = '{organization}' AND r.unit_id = '{unit}'
  AND r.recorded_at >= '0001-01-01' AND r.recorded_at <= '9999-12-31'
ORDER BY r.recorded_at DESC, r.id DESC LIMIT 100;
"""


def idle(house, rounds, seconds):
    """Connections that asked once and stay."""
    wanted = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(wanted, hard - 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    program = machine.Program(house.cluster)
    wrk(program.pid, f"http://127.0.0.1:{program.port}/health/live", 1)
    before = machine.resident_mib(program.pid)
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", program.port))
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        connections.append(connection)
    for connection in connections:
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            raise SystemExit("an idle connection was refused")
    after = machine.resident_mib(program.pid)
    for connection in connections:
        connection.close()
    time.sleep(1)
    released = machine.resident_mib(program.pid)
    program.stop()
    print(f"\n{count:,} idle connections")
    print(f"  resident {before:.1f} MiB before, {after:.1f} with them, {released:.1f} after; "
          f"{(after - before) * 1024 / count:.1f} KiB each")
    return [(f"{count:,} idle connections", f"{after:.0f} MiB", "< 100 MB", after * 1.048576 < 100)]


def start(house, rounds, seconds):
    """From exec to the first 200 of /health/ready, on a migrated database."""
    taken = []
    for _ in range(10):
        began = time.monotonic()
        program = machine.Program(house.cluster)
        taken.append((time.monotonic() - began) * 1000)
        program.stop()
    middle = statistics.median(taken)
    print(f"\nstart: {middle:.0f} ms (median of 10; {min(taken):.0f} to {max(taken):.0f})")
    return [("exec to ready", f"{middle:.0f} ms", "<= 100 ms", middle <= 100)]


def figure(program, name):
    """One figure of the metrics page."""
    page = machine.get(program.port, "/metrics", limit=10)[1].decode()
    return next(float(row.split()[1]) for row in page.splitlines() if row.startswith(name + " "))


def spool(house, rounds, seconds):
    """Uplinks while PostgreSQL is away: how many a second are on disk, and how fast they are in the database afterwards."""
    cluster = house.cluster
    cluster.sql("TRUNCATE sensor_readings")
    program = machine.Program(cluster, SPOOL_DIR=f"{cluster.folder}/spool", SPOOL_MAX_BYTES=str(16 << 30))
    simulate(program.pid, program.port, house.keys["ingest"], 1)
    appended, drained, latency = [], [], []
    for _ in range(rounds):
        cluster.down()
        command = [machine.Program.path, "simulate", "--url", f"http://127.0.0.1:{program.port}", "--json"]
        command += ["--key", house.keys["ingest"], "--rate", "0", "--devices", str(DEVICES)]
        command += ["--connections", str(CONNECTIONS), "--pipeline", "1"]
        # The first ones wait for the database.
        subprocess.run([*command, "--duration", "3s"], check=True, capture_output=True)
        done = subprocess.run([*command, "--duration", f"{seconds}s"], check=True, capture_output=True, text=True)
        report = json.loads(done.stdout)
        appended.append(report["byOutcome"].get("spooled", 0) / report["seconds"])
        latency.append(report["latencyMs"]["p99"])
        depth = figure(program, "spool_records")
        cluster.up()
        began = None
        while (left := figure(program, "spool_records")) > 0:
            if began is None and left < depth:
                began, depth = time.monotonic(), left
            time.sleep(0.01)
        drained.append(depth / (time.monotonic() - began) if began else float("inf"))
    memory = machine.resident_mib(program.pid, peak=True)
    program.stop()
    rate, drain = statistics.median(appended), statistics.median(drained)
    print(f"\nspool, {DEVICES:,} devices, {CONNECTIONS} connections, PostgreSQL stopped and started")
    print(f"  on disk {rate:,.0f}/s, p99 {statistics.median(latency):.1f} ms; into the database {drain:,.0f}/s; "
          f"resident at most {memory:.1f} MiB")
    return [
        ("spool: on disk", f"{rate:,.0f}/s", ">= 4,000/s", rate >= 4000),
        ("spool: drains 200/s, times faster", f"{drain / 200:.0f}", ">= 20", drain >= 4000),
    ]


ALL = {"health": health, "list": readings, "ingest": ingest, "spool": spool, "idle": idle, "start": start}
