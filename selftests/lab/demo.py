"""selftests/lab/demo: a guest under Umbra on an emulated board.

What keeps the guest's answers the guest's: standard output carries the port
guest.out and nothing else, the status comes from the port guest.status and
nowhere else, and on the board only the launcher opens these two, as serial
ports of the guest. The board's own shell writes to other ports.
"""

import os
import shlex
import sys
import termios
import time
import tty

import lablib
from lablib import Board, LabError, say

CTRL_RIGHT_BRACKET = 0x1D


class Terminal:
    """The user's terminal, joined to the board's console port."""

    def __init__(self):
        self.conn = self.sel = self.saved = None
        self.presses = []

    def attach(self, conn, sel):
        self.conn, self.sel = conn, sel

    def start(self):
        """The guest starts: from here on, what is typed is the guest's."""
        if os.isatty(0):
            self.saved = termios.tcgetattr(0)
            tty.setraw(0)
        try:
            self.sel.register(0, lablib.selectors.EVENT_READ)
        except (PermissionError, ValueError):
            pass  # /dev/null or a file: nothing to type

    def typed(self):
        """Passes on what was typed. False: the user wants out."""
        data = os.read(0, 4096)
        if not data:
            self.sel.unregister(0)
            return True
        now = time.monotonic()
        for byte in data:
            self.presses = [t for t in self.presses if now - t < 2] + [now] if byte == CTRL_RIGHT_BRACKET else []
            if len(self.presses) >= 4:
                return False
        self.conn.sendall(data)
        return True

    def show(self, data):
        write(1, data)

    def restore(self):
        if self.saved:
            termios.tcsetattr(0, termios.TCSADRAIN, self.saved)
            self.saved = None


class GuestStatus:
    """Parses the guest's "exit N"."""

    def __init__(self):
        self.text = b""

    def feed(self, data):
        self.text += data

    def value(self):
        words = self.text.decode(errors="replace").split()
        if len(words) == 2 and words[0] == "exit" and words[1].isdigit():
            return int(words[1])
        return None


def write(fd, data):
    while data:
        data = data[os.write(fd, data) :]


def env(name, default=""):
    return os.environ.get(name) or default


def tail(path, lines):
    try:
        with open(path, errors="replace") as f:
            for line in f.read().replace("\r", "").splitlines()[-lines:]:
                print("    " + line, file=sys.stderr)
    except OSError:
        pass


def main():
    command = env("EXEC")
    host, guest = env("HOST", "trixie"), env("GUEST", "trixie")
    board = Board(host, env("CPU", "rv64,h=false"), env("HOST_SMP", "2"), env("HOST_MEMORY", "2G"))
    if command and env("BIOS") == "uboot" and not env("DISK"):
        raise LabError("BIOS=uboot starts what is on a disk: with EXEC, give DISK=debian as well")
    board.umbra(env("MODARGS"))
    client = env("CLIENT", "umbra")
    if client != "umbra":
        board.packages(client)
    by_hand = not command and os.isatty(0)
    board.timeout = int(env("TIMEOUT", "0" if by_hand else "900" if env("DISK") else "300"))
    log = os.path.join(lablib.TREE, "build", "log")
    os.makedirs(log, exist_ok=True)
    board.log = os.path.join(log, "demo.host.log")
    console = os.path.join(log, "demo.guest.log")

    disk = env("DISK")
    board.cpio.file("guest/" + guest, lablib.kernel(guest)["VMLINUZ"])
    board.cpio.bytes("guest/initrd", lablib.guest_initramfs(command or None), 0o644)

    call = ["guest", "-k", guest, "-m", env("MEMORY", "512M"), "-c", env("SMP", "1"), "-u", env("RUNARGS")]
    call += ["-C", client, "-t", "0"]
    append = env("APPEND")
    if disk:
        board.debian_disk([guest], command or None)
        # To write the command there.
        board.debian_module("crc32c", "ext4")
        call += ["-d", "/dev/vda"]
    bios = env("BIOS", "none")
    if bios != "none":
        board.packages("firmware")
        call += ["-b", bios]
    status = GuestStatus()
    terminal = None
    say("host %s (%s, %s), guest %s; logs in build/log/demo.*.log" % (host, board.kernel["KVER"], board.cpu, guest))
    if command:
        board.port("guest.out", lambda d: write(1, d))
        board.port("guest.err", lambda d: write(2, d))
        board.port("guest.status", status.feed)
        board.port("guest.console", path=console)
        board.port("out", lambda d: None)
        board.port("err", lambda d: write(2, d))
        for opt, name in (("-o", "out"), ("-e", "err"), ("-s", "status"), ("-l", "console")):
            call += [opt, "/dev/lab/guest." + name]
        call += ["-a", append, "--", "@built-in"]
    else:
        terminal = board.terminal = Terminal()
        if os.isatty(0):
            size = os.get_terminal_size(0)
            append += " lab.rows=%d lab.cols=%d lab.term=%s" % (size.lines, size.columns, env("TERM", "linux"))
            say("Ctrl-] four times ends the board, should all else fail")
        call += ["-a", append]
        board.on_start = terminal.start

    try:
        board.run("#!/bin/sh\nexec " + shlex.join(call) + "\n")
    finally:
        if terminal:
            terminal.restore()

    if board.problem:
        say("error: " + board.problem)
        for line in board.context:
            print("    " + line, file=sys.stderr)
        if command:
            say("the end of the guest's console (%s):" % console)
            tail(console, 15)
        say("the board's console: " + board.log)
        return 124 if "no end" in board.problem else 125
    if not command:
        if board.status:
            say("the launcher ended with status %d" % board.status)
        return board.status
    if status.value() is None:
        say("error: the guest never reported how the command ended (launcher's status: %s)" % board.status)
        say("the end of the guest's console (%s):" % console)
        tail(console, 15)
        return 125
    if board.status:
        say("error: the guest reported status %d, but then the launcher failed with %d" % (status.value(), board.status))
        return 125
    return status.value()


if __name__ == "__main__":
    lablib.run_main(main)
