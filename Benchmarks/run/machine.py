"""Processes: starting and ending them, and what the kernel knows of them."""

import atexit
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
running = []


def start(command, **options):
    """A process that does not outlive this one."""
    process = subprocess.Popen(command, **options)
    running.append(process)
    return process


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process in running:
        running.remove(process)


@atexit.register
def stop_all():
    for process in reversed(list(running)):
        stop(process)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    """What a process has used, user and system, of all its threads and of the children it has waited for."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICK


def family_cpu_seconds(pid):
    """The same with the children that run."""
    total = cpu_seconds(pid)
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in file.read().split():
            try:
                total += cpu_seconds(child)
            except FileNotFoundError:
                pass
    return total


def resident_mib(pid, peak=False):
    with open(f"/proc/{pid}/status") as file:
        found = re.search(r"VmHWM:\s+(\d+)" if peak else r"VmRSS:\s+(\d+)", file.read())
    return int(found.group(1)) / 1024


def get(port, path, headers=None, limit=2):
    """Status and body, or None when nobody answers."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit)
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return None
    finally:
        connection.close()


def wait_until_ready(port, path="/health/ready", process=None, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = get(port, path)
        if answer and answer[0] == 200:
            return
        if process is not None and process.poll() is not None:
            break
        time.sleep(0.002)
    raise SystemExit(f"nothing answers at port {port}{path}")


def wait_until_listening(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"nothing listens on port {port}")


class PostgreSQL:
    """A cluster of its own on a Unix socket, with fsync on and the settings of a small server."""

    settings = {
        "listen_addresses": "",
        "unix_socket_permissions": "0777",
        "shared_buffers": "256MB",
        "min_wal_size": "1GB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "30min",
        "max_connections": "200",
    }

    def __init__(self):
        versions = sorted(os.listdir("/usr/lib/postgresql"), key=int)
        self.programs = f"/usr/lib/postgresql/{versions[-1]}/bin"
        self.folder = tempfile.mkdtemp(prefix="freshtrack-benchmark-", dir=os.environ.get("BENCHMARK_FOLDER", "/var/tmp"))
        atexit.register(shutil.rmtree, self.folder, True)
        self.user = []
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        os.chmod(self.folder, 0o755)
        self.environment = {**os.environ, "PGHOST": self.folder, "PGUSER": "postgres", "PGOPTIONS": ""}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        initdb = [f"{self.programs}/initdb", "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run(self.user + initdb + ["--locale=C.UTF-8", "--data-checksums"], check=True, cwd="/", **quiet)
        command = self.user + [f"{self.programs}/postgres", "-D", f"{self.folder}/data", "-k", self.folder]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        self.command = command
        self.up()

    def fill_log(self):
        """The write-ahead log gets the files that it has once a server has run for a while: making one takes 25 ms, for which
        everybody waits."""
        self.sql("CREATE TABLE log_filler (n integer)", "postgres")
        for _ in range(60):
            self.sql("INSERT INTO log_filler VALUES (1)", "postgres")
            self.sql("SELECT pg_switch_wal()", "postgres")
        self.sql("CHECKPOINT", "postgres")

    def up(self, settings=()):
        """With further settings until it is taken down again."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        more = [word for setting in settings for word in ("-c", setting)]
        self.process = start(self.command + more, cwd="/", **quiet)
        while subprocess.run([f"{self.programs}/pg_isready", "-q"], env=self.environment).returncode:
            time.sleep(0.05)

    def down(self):
        stop(self.process)

    def url(self, database="freshtrack"):
        return f"host={self.folder} user=postgres dbname={database}"

    def psql(self, text, database):
        return [f"{self.programs}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text]

    def sql(self, text, database="freshtrack"):
        command = self.psql(text, database)
        done = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def run(self, file, database="freshtrack"):
        """A script of statements and of rows for them."""
        command = [f"{self.programs}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", file]
        subprocess.run(command, env=self.environment, check=True)

    def begin(self, text, database):
        """The same without waiting for it."""
        return start(self.psql(text, database), env=self.environment, stdout=subprocess.DEVNULL)

    def cpu_seconds(self):
        """Of the server and all of its backends, those that have ended too."""
        return family_cpu_seconds(self.process.pid)


class Program:
    """`freshtrack serve` on a free port."""

    path = os.environ["FRESHTRACK"]

    def __init__(self, cluster, **settings):
        self.port = free_port()
        self.environment = {
            **os.environ,
            "DATABASE_URL": cluster.url(),
            "AUTH_MODE": "local",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "LOG_LEVEL": "error",
            "RATE_LIMIT_MAX": "0",
            **settings,
        }
        self.process = start([self.path, "serve"], env=self.environment)
        wait_until_ready(self.port, process=self.process)

    pid = property(lambda self: self.process.pid)

    def stop(self):
        stop(self.process)


def freshtrack(cluster, *words, database="freshtrack"):
    """The answer of a command that writes JSON."""
    environment = {**os.environ, "DATABASE_URL": cluster.url(database), "AUTH_MODE": "local"}
    done = subprocess.run([Program.path, *words], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout) if "--json" in words else done.stdout


def describe():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    name = model.group(1) if model else os.uname().machine
    return f"{name}, {os.cpu_count()} cores, Linux {os.uname().release}"
