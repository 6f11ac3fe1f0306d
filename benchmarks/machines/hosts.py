"""Hosts on one machine: network namespaces, between which packets take time as on a network of machines.

    with Hosts(2, bandwidth=1.25e8, delay=1e-3) as hosts:
        process = subprocess.Popen(hosts.command(0, ["hostname"]))

Each host has one address, 10.83.0.1, 10.83.0.2 ..., behind a TUN device. A process of its own takes the
packets from the devices, lets each of them wait for the bandwidths of sender and receiver and for the delay,
and hands it on: what `tc netem` does, which many kernels lack. It needs root, `ip` and /dev/net/tun.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any

DEVICE = "hosts0"
MTU = 9000  # bytes of a packet, as on networks of machines
BUFFERED_S = 0.05  # of packets that wait for a slow link: more are lost, and TCP sends more slowly
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000


def missing() -> str | None:
    """Return why hosts cannot be made here, None if they can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    if shutil.which("ip") is None:
        return "the command ip (Debian's iproute2) is not installed"
    if not Path("/dev/net/tun").exists():
        return "the kernel has no TUN devices"
    tried = subprocess.run(["ip", "netns", "add", "try-hosts"], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", "try-hosts"], capture_output=True, check=False)
    return tried.stderr.strip() or None


def address(host: int) -> str:
    """Return a host's address."""
    return f"10.83.{host // 200}.{host % 200 + 1}"


class Hosts:
    """Some hosts, while the context lasts.

    Parameters
    ----------
    n
        How many.
    bandwidth
        Bytes per second that a host can send, and as many that it can receive.
    delay
        Seconds from one host to another.
    """

    def __init__(self, n: int, bandwidth: float, delay: float) -> None:
        self.n, self.bandwidth, self.delay = n, bandwidth, delay
        self._names = [f"hosts-{os.getpid()}-{host}" for host in range(n)]
        self._silent = get_context("spawn").Value(ctypes.c_int, -1, lock=False)
        self._link: Any = None

    def __enter__(self) -> Hosts:
        """Make them."""
        _remove_those_left()
        try:
            for host, name in enumerate(self._names):
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
                _ip("-n", name, "tuntap", "add", DEVICE, "mode", "tun")
                _ip("-n", name, "addr", "add", f"{address(host)}/16", "dev", DEVICE)
                _ip("-n", name, "link", "set", DEVICE, "mtu", str(MTU), "txqueuelen", "2000", "up")
            ready = get_context("spawn").Event()
            arguments = (self._names, self.bandwidth, self.delay, self._silent, ready)
            self._link = get_context("spawn").Process(target=_carry, args=arguments, daemon=True)
            self._link.start()
            if not ready.wait(60):
                raise RuntimeError("the link between the hosts did not start")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove them."""
        if self._link is not None:
            self._link.kill()
            self._link.join()
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def command(self, host: int, command: list[str]) -> list[str]:
        """Return the command that runs another one on a host."""
        return ["ip", "netns", "exec", self._names[host], *command]

    def silence(self, host: int) -> None:
        """Lose all packets from and to a host from now on."""
        self._silent.value = host


def _remove_those_left() -> None:
    """Remove the hosts of processes that were killed."""
    for path in Path("/run/netns").glob("hosts-*-*"):
        if not Path("/proc", path.name.split("-")[1]).exists():
            _ip("netns", "del", path.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _carry(names: list[str], bandwidth: float, delay: float, silent: Any, ready: Any) -> None:
    """Carry packets between the devices of the namespaces, until the process is killed."""
    devices = [_opened(name) for name in names]
    line = _Line(devices, bandwidth, delay)
    threading.Thread(target=line.deliver, daemon=True).start()
    ready.set()
    poll = select.poll()
    host_of = {device: host for host, device in enumerate(devices)}
    for device in devices:
        poll.register(device, select.POLLIN)
    while True:
        for device, _ in poll.poll():
            sender = host_of[device]
            for _ in range(64):
                try:
                    packet = os.read(device, MTU + 64)
                except BlockingIOError:
                    break
                if packet[0] >> 4 != 4:  # not IPv4
                    continue
                receiver = packet[18] * 200 + packet[19] - 1
                if 0 <= receiver < len(devices) and silent.value not in (sender, receiver):
                    line.send(sender, receiver, packet)


def _opened(name: str) -> int:
    """Open the TUN device of a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
        libc.setns(home.fileno(), _CLONE_NEWNET)
    return device


class _Line:
    """Packets on their way: first in, first out between any two hosts."""

    def __init__(self, devices: list[int], bandwidth: float, delay: float) -> None:
        self._devices, self._bandwidth, self._delay = devices, bandwidth, delay
        self._sent = [0.0] * len(devices)  # when the host's last packet has left it
        self._taken = [0.0] * len(devices)  # when the last packet to the host has arrived
        self._waiting: deque[tuple[float, int, bytes]] = deque()
        self._some = threading.Condition()

    def send(self, sender: int, receiver: int, packet: bytes) -> None:
        """Put a packet on its way, or lose it where too many wait."""
        now, seconds = time.monotonic(), len(packet) / self._bandwidth
        left = max(now, self._sent[sender]) + seconds
        arrives = max(left + self._delay, self._taken[receiver] + seconds)
        if arrives - now > self._delay + BUFFERED_S:
            return
        self._sent[sender], self._taken[receiver] = left, arrives
        with self._some:
            self._waiting.append((arrives, receiver, packet))
            self._some.notify()

    def deliver(self) -> None:
        """Hand packets on when it is their time."""
        while True:
            with self._some:
                while not self._waiting:
                    self._some.wait()
                arrives, receiver, packet = self._waiting.popleft()
            early = arrives - time.monotonic()
            if early > 0:
                time.sleep(early)
            with suppress(OSError):  # the device's queue is full: the packet is lost
                os.write(self._devices[receiver], packet)
