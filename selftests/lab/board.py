"""selftests/lab/board: boots the emulated board, runs one command on it.

Called by selftests/lab/board, which enters the lab's root first.
"""

import argparse
import os
import shlex
import sys

import lablib
from lablib import Board, say


def main():
    p = argparse.ArgumentParser(
        prog="selftests/lab/board",
        description="Boots an emulated RISC-V board without the H extension, runs COMMAND in its "
        "user space (busybox), and powers it off. The command's output is ours, its status too; "
        "124: timeout, 125: the board failed (died, or its kernel complained).",
    )
    p.add_argument("--host", default=os.environ.get("HOST") or "trixie", choices=lablib.HOSTS, help="the board's kernel")
    p.add_argument("--cpu", default=os.environ.get("CPU") or "rv64,h=false", help="QEMU's -cpu")
    p.add_argument("--smp", default=os.environ.get("HOST_SMP") or "2")
    p.add_argument("--memory", default=os.environ.get("HOST_MEMORY") or "2G")
    p.add_argument("--machine", default="virt", help="QEMU's -M")
    p.add_argument("--umbra", action="store_true", help="load umbra.ko, add umbra and guest to /bin")
    p.add_argument("--umbra-args", default="", help="parameters of umbra.ko")
    p.add_argument("--guest", action="append", default=[], help="add Debian's kernel of this suite as /guest/NAME")
    p.add_argument("--guest-module", action="append", default=[], help="load this module of its Debian kernel in the guest")
    p.add_argument("--disk", action="append", default=[], metavar="FILE", help="a virtio disk; 'debian': that with Debian, and e2fsck")
    p.add_argument("--add", action="append", default=[], metavar="SRC[:DEST]", help="add a file or directory (default /lab/NAME)")
    p.add_argument("--packages", metavar="SET", help="Debian programs as the board's /usr: a set of selftests/lab/packages")
    p.add_argument("--module", action="append", default=[], help="load this module of Debian's kernel")
    p.add_argument("--load", action="append", default=[], metavar="KO[:ARGS]", help="load a module of ours")
    p.add_argument("--port", action="append", default=[], metavar="NAME=FILE", help="what is written to /dev/lab/NAME goes to FILE")
    p.add_argument("--env", action="append", default=[], metavar="VAR=VALUE", help="environment of the command")
    p.add_argument("--append", default="", help="added to the board's kernel command line")
    p.add_argument("--icount", help="QEMU's -icount (repeatable instruction counts, one thread)")
    p.add_argument("--timeout", type=int, default=300, help="seconds; 0: none")
    p.add_argument("--log", help="the board's console log (default: below build/log)")
    p.add_argument("--qemu", action="append", default=[], help="more options for QEMU, as one string")
    p.add_argument("command", nargs=argparse.REMAINDER)
    a = p.parse_args()
    command = a.command[1:] if a.command[:1] == ["--"] else a.command
    if not command:
        p.error("no command")

    b = Board(a.host, a.cpu, a.smp, a.memory, a.machine)
    b.append, b.icount, b.timeout = a.append, a.icount, a.timeout
    b.extra = [w for q in a.qemu for w in shlex.split(q)]
    b.debian_module(*a.module)
    if a.packages:
        b.packages(a.packages)
    if a.umbra:
        b.umbra(a.umbra_args)
    for g in a.guest:
        b.guest_kernel(g)
    b.guest_module(*a.guest_module)
    for d in a.disk:
        if d == "debian":
            b.debian_disk(a.guest)
        else:
            b.disk(os.path.abspath(d))
    for item in a.add:
        src, _, dest = item.partition(":")
        b.add(src, dest or None)
    for item in a.load:
        ko, _, args = item.partition(":")
        b.debian_module(*lablib.module_depends(ko))
        b.add(ko, "/lib/" + os.path.basename(ko))
        b.modules.append("/lib/%s %s" % (os.path.basename(ko), args))
    for item in a.env:
        k, _, v = item.partition("=")
        b.env[k] = v
    os.makedirs(os.path.join(lablib.TREE, "build", "log"), exist_ok=True)
    b.log = os.path.abspath(a.log or os.path.join(lablib.TREE, "build", "log", "board.%d.log" % os.getpid()))
    b.port("out", lambda d: _write(1, d))
    b.port("err", lambda d: _write(2, d))
    for item in a.port:
        name, _, path = item.partition("=")
        b.port(name, path=os.path.abspath(path))
    # One word is a command line for the board's shell; several are its arguments.
    line = command[0] if len(command) == 1 else shlex.join(command)
    b.run("#!/bin/sh\n%s\n" % line)
    if b.problem:
        say("error: " + b.problem)
        for text in b.context:
            print("    " + text, file=sys.stderr)
        say("the board's console: " + b.log)
        return 124 if "no end" in b.problem else 125
    if not a.log:
        os.unlink(b.log)
    return b.status


def _write(fd, data):
    while data:
        data = data[os.write(fd, data) :]


if __name__ == "__main__":
    lablib.run_main(main)
