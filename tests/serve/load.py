"""Load test: a script that starts a service on loopback, sends requests and writes JSON.

    python tests/serve/load.py points -o out/load_points.json
    python tests/serve/load.py mixed -o out/load_mixed.json
    python tests/serve/load.py memory -o out/load_memory.json

`points`: clients query points of shared photos. `mixed`: every twentieth request posts a photo.
`memory`: the server's memory while many different photos are posted. The clients are threads of
this process on the same machine, so they take processor time from the service that they measure.
"""

import argparse
import collections
import contextlib
import http.client
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

SHARED_PHOTOS = 8
ENCODE_EVERY = 20  # of the mixed mode's requests
MEMORY_CLIENTS = 4
SIZE = (480, 640)


@contextlib.contextmanager
def service(more: list[str]) -> Iterator[tuple[str, int, int]]:
    """Start a service; yields host, port and process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "spd", "serve", "--port", "0", *more],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    found = re.search(r"http://([\d.]+):(\d+)", said)
    if found is None:
        sys.exit(f"the service did not start: {said}{process.stderr.read()}")
    print(said.strip(), file=sys.stderr)
    try:
        yield found[1], int(found[2]), process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stderr.close()


def photo(seed: int) -> bytes:
    """A JPEG of enlarged coarse noise, different for every call."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize(SIZE[::-1], Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


class Client:
    """One connection, and its measurements."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=120)
        self._generator = np.random.default_rng(seed)
        self.seconds: dict[str, list[float]] = collections.defaultdict(list)
        self.statuses: collections.Counter[str] = collections.Counter()

    def ask(self, image: str, points: int) -> None:
        """Query points of a photo."""
        uv = self._generator.random((points, 2)) * [SIZE[1] - 1, SIZE[0] - 1]
        body = json.dumps({"points": uv.round(2).tolist()}).encode()
        self._send("points", f"/v1/images/{image}/points", body, "application/json")

    def post(self, data: bytes) -> str | None:
        """Post a photo; returns its id, or None if it was refused."""
        said = self._send("encode", "/v1/images?focal_px=519", data, "image/jpeg")
        return None if said is None else json.loads(said)["id"]

    def _send(self, name: str, path: str, body: bytes, kind: str) -> bytes | None:
        started = time.perf_counter()
        try:
            self._connection.request("POST", path, body, {"content-type": kind})
            answer = self._connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.statuses[f"{name} {type(error).__name__}"] += 1
            self._connection.close()
            return None
        self.statuses[f"{name} {answer.status}"] += 1
        if answer.status >= 300:
            return None
        self.seconds[name].append(time.perf_counter() - started)
        return data


def together(clients: list[Client], work) -> None:
    """Run every client in its own thread."""
    threads = [threading.Thread(target=work, args=(n, c)) for n, c in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def load(host: str, port: int, asked: argparse.Namespace) -> dict:
    """Run the clients for some seconds."""
    clients = [Client(host, port, n) for n in range(asked.clients)]
    images = [clients[0].post(photo(n)) for n in range(SHARED_PHOTOS)]
    clients[0].seconds.clear()
    clients[0].statuses.clear()
    spare = [photo(1000 + n) for n in range(16)] if asked.mode == "mixed" else []
    end = time.monotonic() + asked.seconds

    def work(number: int, client: Client) -> None:
        for turn in itertools.count(number):
            if time.monotonic() >= end:
                return
            if spare and turn % ENCODE_EVERY == 0:
                client.post(spare[turn % len(spare)])
            else:
                client.ask(images[turn % SHARED_PHOTOS], asked.points)

    started = time.monotonic()
    together(clients, work)
    return summary(clients, time.monotonic() - started)


def memory(host: str, port: int, pid: int, asked: argparse.Namespace) -> dict:
    """Post different photos, query each once, and record the server's memory."""
    clients = [Client(host, port, n) for n in range(MEMORY_CLIENTS)]
    server, lock, numbers = psutil.Process(pid), threading.Lock(), itertools.count()
    resident = [[0, server.memory_info().rss / 1e6]]

    def work(_: int, client: Client) -> None:
        while True:
            with lock:
                number = next(numbers)
            if number >= asked.images:
                return
            image = client.post(photo(number))
            if image is not None:
                client.ask(image, asked.points)
            if (number + 1) % asked.every == 0:
                with lock:
                    resident.append([number + 1, server.memory_info().rss / 1e6])
                    print(f"{number + 1:6d} photos  {resident[-1][1]:8.1f} MB", flush=True)

    started = time.monotonic()
    together(clients, work)
    return summary(clients, time.monotonic() - started) | {"resident_mb": resident}


def summary(clients: list[Client], seconds: float) -> dict:
    """Summary of all clients' measurements."""
    statuses = sum((client.statuses for client in clients), collections.Counter())
    found: dict = {"clients": len(clients), "seconds": seconds, "statuses": dict(statuses)}
    found["errors"] = sum(
        n for name, n in statuses.items() if name.split()[1] not in ("200", "201")
    )
    for name in ("points", "encode"):
        taken = np.concatenate([client.seconds[name] for client in clients])
        if len(taken):
            p50, p99 = np.percentile(taken, (50, 99)) * 1000
            rate = len(taken) / seconds
            found[name] = {"count": len(taken), "per_s": rate, "p50_ms": p50, "p99_ms": p99}
    return found


def main() -> None:
    """Run one mode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["points", "mixed", "memory"])
    parser.add_argument("-o", "--out", type=Path, help="JSON file; by default it is printed")
    parser.add_argument("--clients", type=int, default=64, help="for points and mixed")
    parser.add_argument("--seconds", type=float, default=120, help="for points and mixed")
    parser.add_argument("--points", type=int, default=10, help="points in one request")
    parser.add_argument("--images", type=int, default=10_000, help="photos, for memory")
    parser.add_argument(
        "--every", type=int, default=500, help="photos between measurements, for memory"
    )
    parser.add_argument("service", nargs="*", help="after --: options of spd serve")
    asked = parser.parse_args()
    with service(asked.service) as (host, port, pid):
        found = (
            memory(host, port, pid, asked) if asked.mode == "memory" else load(host, port, asked)
        )
        found["server_mb"] = psutil.Process(pid).memory_info().rss / 1e6
    found = {"mode": asked.mode, "cores": os.cpu_count(), **found}
    text = json.dumps(found, indent=1)
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(f"{text}\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
