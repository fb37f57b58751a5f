"""What the lab's Python programs share: the initramfs writer and the board.

Runs inside the lab's root (selftests/lab/enter). Used by board.py, demo.py and
suites.py; lib.sh is its counterpart for shell.
"""

import ctypes
import lzma
import os
import re
import selectors
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

LAB = os.path.dirname(os.path.realpath(__file__))
TREE = os.path.dirname(os.path.dirname(LAB))
CACHE = os.environ.get("UMBRA_CACHE") or os.path.expanduser("~/.cache/umbra")
HOSTS = ("trixie", "forky")
# What it takes to mount the Debian disk: its own softdep first (6.12 needs it).
DISK_MODULES = ("virtio_mmio", "virtio_blk", "crc32c", "ext4")

# A kernel's line, and what a kernel says when something is wrong. Only lines with a kernel time
# stamp count, so nothing that a test prints can look like one.
STAMP = re.compile(r"^\[ *\d+\.\d+\]")
COMPLAINT = re.compile(
    r"^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? .*?("
    r"WARNING: |\bBUG\b|Oops|Call Trace:|Kernel panic|Unable to handle|"
    r"rcu: INFO|rcu.*stall|blocked for more than|refcount_t: |lockup|"
    r"KASAN|KCSAN|UBSAN|general protection|scheduling while atomic|Bad page)"
)


class LabError(Exception):
    """Something the user must be told, in one message."""


def say(text):
    print("lab: " + text, file=sys.stderr, flush=True)


def kernel(host):
    """The facts about a Debian kernel, as setup wrote them."""
    path = os.path.join(CACHE, "kernels", host + ".env")
    if not os.path.exists(path):
        raise LabError("no kernel named '%s' (there is: %s)" % (host, " ".join(HOSTS)))
    facts = {}
    with open(path) as f:
        for line in f:
            if "=" in line and not line.startswith("#"):
                key, value = line.strip().split("=", 1)
                facts[key] = value
    return facts


# --- initramfs -------------------------------------------------------------


class Cpio:
    """Writes a newc archive, as the kernel's initramfs wants it."""

    def __init__(self):
        self.parts = []
        self.names = set()
        self.ino = 1

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        name = name.strip("/")
        raw = name.encode() + b"\0"
        fields = (self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self.parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]
        self.names.add(name)
        self.ino += 1

    def dir(self, name):
        name = name.strip("/")
        if name and name not in self.names:
            self.dir(os.path.dirname(name))
            self._entry(name, stat.S_IFDIR | 0o755)

    def bytes(self, name, data, mode=0o755):
        self.dir(os.path.dirname(name.strip("/")))
        self._entry(name, stat.S_IFREG | mode, data)

    def file(self, name, path):
        try:
            with open(path, "rb") as f:
                data = f.read()
        except OSError as e:
            raise LabError("cannot read %s: %s" % (path, e.strerror)) from e
        self.bytes(name, data, 0o755 if os.access(path, os.X_OK) else 0o644)

    def tree(self, name, path):
        for base, _, files in os.walk(path):
            for f in sorted(files):
                full = os.path.join(base, f)
                if not f.endswith((".o", ".d")):
                    self.file(os.path.join(name, os.path.relpath(full, path)), full)

    def device(self, name, major, minor):
        self.dir(os.path.dirname(name.strip("/")))
        self._entry(name, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def finish(self):
        self._entry("TRAILER!!!", 0)
        data = b"".join(self.parts)
        return data + b"\0" * (-len(data) % 512)


def base_initramfs(init):
    c = Cpio()
    c.device("dev/console", 5, 1)
    c.file("bin/busybox", "/usr/bin/busybox")
    c.file("init", os.path.join(LAB, "initramfs", init))
    return c


def guest_initramfs(command=None):
    """The guest's initramfs; with a command it runs that, else a shell."""
    c = base_initramfs("guest-init")
    if command is not None:
        c.bytes("umbra/exec", b"#!/bin/sh\n" + command.encode() + b"\n")
    return c.finish()


def disk_initramfs(name, command=None):
    """The initramfs that goes on with the system on a disk; with a command that
    system runs it and powers off."""
    c = base_initramfs("disk-init")
    add_modules(c, name, DISK_MODULES)
    if command is not None:
        c.bytes("umbra/exec", b"#!/bin/sh\n" + command.encode() + b"\n")
    return c.finish()


def guest_modules(name, names):
    """What is put behind the guest's initramfs so that guest-init loads modules."""
    c = Cpio()
    add_modules(c, name, names)
    return c.finish()


def add_modules(c, name, names):
    loads = []
    for ko, data in debian_modules(name, names):
        c.bytes("umbra/modules/" + ko, data, 0o644)
        loads.append(ko)
    c.bytes("umbra/modules/order", "".join(ko + "\n" for ko in loads).encode(), 0o644)


def debian_modules(host, names):
    """(file name, content) of Debian's modules and what they depend on, in load order."""
    base = kernel(host)["MODULES"]
    deps, builtin, alias = {}, set(), {}
    with open(os.path.join(base, "modules.dep")) as f:
        for line in f:
            path, rest = line.rstrip("\n").split(":", 1)
            deps[_module_name(path)] = (path, rest.split())
    with open(os.path.join(base, "modules.builtin")) as f:
        builtin = {_module_name(line.strip()) for line in f}
    with open(os.path.join(base, "modules.alias")) as f:
        for line in f:
            words = line.split()
            if len(words) == 3 and words[0] == "alias":
                alias[words[1]] = words[2]
    done, order = set(), []

    def add(path):
        if path in done:
            return
        done.add(path)
        with open(os.path.join(base, path), "rb") as f:
            data = f.read()
        if path.endswith(".xz"):
            data = lzma.decompress(data)
        elif path.endswith(".zst"):
            data = subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
        order.append((_module_name(path) + ".ko", data))

    for name in names:
        key = alias.get(name, name).replace("-", "_")
        if key in builtin:
            continue
        if key not in deps:
            raise LabError("Debian's kernel of %s has no module '%s'" % (host, name))
        path, needs = deps[key]
        for need in reversed(needs):
            add(need)
        add(path)
    return order


def _module_name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def module_depends(ko):
    out = subprocess.run(["modinfo", "-F", "depends", ko], stdout=subprocess.PIPE, check=True, text=True).stdout
    return [d for d in out.strip().split(",") if d]


# --- the board -------------------------------------------------------------


class Board:
    """One emulated machine: `-M virt` without the H extension.

    Fill it (add, module, port), then run() once. Attributes afterwards:
    status (the command's), problem (None, or what went wrong with the board
    itself), log (path of the host console's log), elapsed.
    """

    def __init__(self, host="trixie", cpu="rv64,h=false", smp=2, memory="2G", machine="virt"):
        self.host, self.cpu, self.smp, self.memory, self.machine = host, cpu, smp, memory, machine
        self.kernel = kernel(host)
        self.cpio = base_initramfs("board-init")
        self.modules = []
        self.env = {}
        self.ports = []  # (name, callback(bytes) or None, path or None)
        self.append = ""
        self.icount = None
        self.extra = []
        self.timeout = 300
        self.terminal = None
        self.quiet = False
        self.log = None
        self.status = None
        self.problem = None
        self.elapsed = 0.0
        self.rmmod = False
        self.keys = None  # what the board's console receives, once it can be woken
        self.on_start = None
        self._debian = []
        self._guests = []
        self._disks = 0
        self._guest_modules = []

    def add(self, src, dest=None):
        dest = dest or "/lab/" + os.path.basename(src.rstrip("/"))
        if os.path.isdir(src):
            self.cpio.tree(dest, src)
        else:
            self.cpio.file(dest, src)

    def debian_module(self, *names):
        for n in names:
            if n not in self._debian:
                self._debian.append(n)

    def umbra(self, args="", out=None):
        """umbra.ko and the launcher, as selftests/lab/build made them."""
        out = out or os.path.join(TREE, "build", self.host)
        ko = os.path.join(out, "umbra.ko")
        if not os.path.exists(ko):
            raise LabError("%s is not built; run: make lab-build" % ko)
        self.debian_module(*module_depends(ko))
        self.cpio.file("lib/umbra.ko", ko)
        self.modules.append("/lib/umbra.ko " + args)
        self.rmmod = True
        for program in ("umbra", "umbra-bench"):
            if os.path.exists(os.path.join(out, "user", program)):
                self.cpio.file("bin/" + program, os.path.join(out, "user", program))
        self.cpio.file("bin/guest", os.path.join(LAB, "initramfs", "guest"))

    def packages(self, name):
        """A set of selftests/lab/packages as the board's /usr, over 9p; one a board."""
        path = os.path.join(CACHE, "packages", name)
        if not os.path.isdir(path):
            raise LabError("the packages '%s' are not there; run: selftests/lab/setup --packages %s" % (name, name))
        self.debian_module("9pnet_virtio", "9p")
        self.env["LAB_PACKAGES"] = name
        self.extra += ["-fsdev", "local,id=packages,path=%s,security_model=none,readonly=on" % path]
        self.extra += ["-device", "virtio-9p-pci,fsdev=packages,mount_tag=packages"]

    def can_wake(self):
        """/dev/lab/wake: a number of seconds written there makes the lab type a
        key on the board's console after that time, which ends its sleep."""
        self.keys = True
        self.port("wake", self._wake)

    def _wake(self, data):
        for word in data.split():
            t = threading.Timer(float(word), os.write, (self.keys, b"\n"))
            t.daemon = True
            t.start()

    def guest_kernel(self, name):
        self._guests.append(name)
        self.cpio.file("guest/" + name, kernel(name)["VMLINUZ"])
        if "guest/initrd" not in self.cpio.names:
            self.cpio.bytes("guest/initrd", guest_initramfs(), 0o644)

    def guest_module(self, *names):
        """Modules of the guests' own Debian kernels, loaded by guest-init."""
        self._guest_modules += names

    def disk(self, path, snapshot=True):
        """The next of /dev/vda, vdb, ...; with snapshot, what is written is lost."""
        n = self._disks
        self._disks += 1
        self.debian_module("virtio_blk")
        self.extra += ["-drive", "file=%s,format=raw,if=none,id=disk%d,snapshot=%s" % (path, n, "on" if snapshot else "off")]
        self.extra += ["-device", "virtio-blk-pci,drive=disk%d" % n]

    def debian_disk(self, guests=(), command=None):
        """The disk with Debian, as /dev/vda; /lib/guest/disk-NAME is the initramfs
        with which kernel NAME goes on there; e2fsck."""
        path = os.path.join(CACHE, "disk", "debian.img")
        if not os.path.exists(path):
            raise LabError("there is no %s; run: selftests/lab/setup --disk" % path)
        self.disk(path)
        for g in guests:
            self.cpio.bytes("lib/guest/disk-" + g, disk_initramfs(g, command), 0o644)
        self.cpio.file("bin/e2fsck", "/usr/sbin/e2fsck.static")

    def port(self, name, sink=None, path=None):
        """A virtio-serial port, /dev/lab/NAME on the board; what is written
        there goes to sink(bytes), or to a file."""
        self.ports.append((name, sink, path))

    def run(self, script):
        """Boots, runs the script (text) as /lab/run, waits for the end."""
        self.tmp = tempfile.mkdtemp(prefix="board.")
        if self.log is None:
            self.log = os.path.join(self.tmp, "console")
        self.cpio.bytes("lab/run", script.encode())
        if self._guest_modules:
            for g in self._guests:
                self.cpio.bytes("lib/guest/" + g, guest_modules(g, self._guest_modules), 0o644)
        loads = []
        for name, data in debian_modules(self.host, self._debian):
            self.cpio.bytes("lib/debian/" + name, data, 0o644)
            loads.append("/lib/debian/" + name)
        self.cpio.bytes("lab/modules", "".join(m + "\n" for m in loads + self.modules).encode(), 0o644)
        env = dict(self.env)
        if self.rmmod:
            env["LAB_RMMOD"] = "1"
        if self.terminal:
            size = os.get_terminal_size(0) if os.isatty(0) else os.terminal_size((80, 24))
            env.update(LAB_TERMINAL="1", LAB_ROWS=str(size.lines), LAB_COLS=str(size.columns))
        self.cpio.bytes(
            "lab/env", "".join("export %s='%s'\n" % (k, v.replace("'", "'\\''")) for k, v in env.items()).encode(), 0o644
        )
        initrd = os.path.join(self.tmp, "initrd")
        with open(initrd, "wb") as f:
            f.write(self.cpio.finish())
        began = time.monotonic()
        try:
            self._run(initrd)
        finally:
            self.elapsed = time.monotonic() - began
            self._check_log()
            if self.log.startswith(self.tmp):
                shutil.copyfile(self.log, os.path.join(tempfile.gettempdir(), "console.last"))
            shutil.rmtree(self.tmp, ignore_errors=True)
        return self.status

    # What is below is private to run().

    def _command(self, initrd, sinks):
        cmd = ["qemu-system-riscv64", "-M", self.machine, "-cpu", self.cpu, "-smp", str(self.smp)]
        cmd += ["-m", str(self.memory), "-display", "none", "-monitor", "none", "-nodefaults", "-no-reboot"]
        if self.icount:
            cmd += ["-accel", "tcg,thread=single", "-icount", self.icount]
        else:
            cmd += ["-accel", "tcg,thread=multi"]
        args = "console=ttyS0 earlycon=sbi loglevel=7 watchdog_thresh=60 oops=panic panic=-1 rdinit=/init " + self.append
        cmd += ["-kernel", self.kernel["VMLINUZ"], "-initrd", initrd, "-append", args.strip()]
        console = "file,id=console,path=" + self.log
        if self.keys:
            fifo = os.path.join(self.tmp, "keys")
            os.mkfifo(fifo)
            self.keys = os.open(fifo, os.O_RDWR)
            console += ",input-path=" + fifo
        cmd += ["-chardev", console, "-serial", "chardev:console"]
        cmd += ["-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"]
        # Port 0 is what a virtconsole would take; named ports start at 1.
        cmd += ["-device", "virtio-serial-pci,id=vs,max_ports=31"]
        if self.terminal:
            cmd += ["-chardev", "socket,id=term,path=" + self._listen("term", "term", sinks)]
            cmd += ["-device", "virtconsole,bus=vs.0,nr=0,chardev=term,name=terminal"]
        for n, (name, sink, path) in enumerate(self.ports, 1):
            ident = "port%d" % n
            if path:
                cmd += ["-chardev", "file,id=%s,path=%s" % (ident, path)]
            else:
                cmd += ["-chardev", "socket,id=%s,path=%s" % (ident, self._listen(ident, sink, sinks))]
            cmd += ["-device", "virtserialport,bus=vs.0,nr=%d,chardev=%s,name=%s" % (n, ident, name)]
        return cmd + self.extra

    def _listen(self, ident, sink, sinks):
        path = os.path.join(self.tmp, ident)
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(1)
        sinks.append((s, sink))
        return path

    def _ctl(self, data):
        self._ctl_text += data.decode(errors="replace")
        while "\n" in self._ctl_text:
            line, self._ctl_text = self._ctl_text.split("\n", 1)
            word, _, rest = line.partition(" ")
            if word == "start":
                self._started = True
                if self.on_start:
                    self.on_start()
            elif word == "exit":
                self.status = int(rest)
            elif word == "fail" and not self.problem:
                self.problem = "on the board, %s failed" % rest

    def _run(self, initrd):
        self._ctl_text = ""
        self._started = False
        self.ports.insert(0, ("ctl", self._ctl, None))
        sinks = []
        cmd = self._command(initrd, sinks)
        if os.environ.get("V"):
            say(" ".join(cmd))
        qemu_err = os.path.join(self.tmp, "qemu-err")
        with open(qemu_err, "wb") as err:
            qemu = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=err, stderr=err, preexec_fn=_die_with_parent)
        try:
            self._pump(qemu, sinks)
        finally:
            if qemu.poll() is None:
                qemu.kill()
            qemu.wait()
        if self.status is None and not self.problem:
            with open(qemu_err, errors="replace") as f:
                text = f.read().strip()
            self.problem = "the board died" + (" before its init ran" if not self._started else "")
            if text:
                self.problem += "; QEMU says: " + text.splitlines()[-1]

    def _pump(self, qemu, sinks):
        sel = selectors.DefaultSelector()
        streams = {}
        for s, sink in sinks:
            s.settimeout(20)
            try:
                while True:
                    s.settimeout(0.2)
                    try:
                        conn, _ = s.accept()
                        break
                    except socket.timeout:
                        if qemu.poll() is not None:
                            return
            finally:
                s.close()
            conn.setblocking(True)
            streams[conn] = sink
            sel.register(conn, selectors.EVENT_READ)
            if sink == "term":
                self.terminal.attach(conn, sel)
        deadline = time.monotonic() + self.timeout if self.timeout else None
        while streams:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self.problem = "no end after %d s (hung?)" % self.timeout
                return
            wait = 1.0 if left is None else min(left, 1.0)
            for key, _ in sel.select(wait):
                if key.fileobj not in streams:
                    if not self.terminal.typed():
                        self.problem = "ended by the user"
                        return
                    continue
                conn = key.fileobj
                try:
                    data = conn.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    sel.unregister(conn)
                    del streams[conn]
                    conn.close()
                elif streams[conn] == "term":
                    self.terminal.show(data)
                elif streams[conn]:
                    streams[conn](data)
            # A command that reported, on a board that then does not power off.
            if self.status is not None and deadline is not None:
                deadline = min(deadline, time.monotonic() + 20)
        try:
            qemu.wait(timeout=20)
        except subprocess.TimeoutExpired:
            pass

    def _check_log(self):
        self.firmware, self.firmware_lines, self.context = [], 0, []
        try:
            with open(self.log, errors="replace") as f:
                text = f.read().replace("\r", "")
        except OSError:
            return
        # The firmware ends its messages without a newline.
        lines = re.sub(r"(?<=[^\n])(?=\[ *\d+\.\d{6}\]|system_opcode_insn: )", "\n", text).splitlines()
        # After the kernel's first line, what bears no kernel time stamp is the
        # firmware's.
        stamps = [n for n, line in enumerate(lines) if STAMP.match(line)]
        for line in lines[stamps[0] :] if stamps else []:
            if line.strip() and not STAMP.match(line):
                self.firmware.append(line)
        self.firmware_lines = len(self.firmware)
        for n, line in enumerate(lines):
            if COMPLAINT.match(line):
                self.problem = "the host's kernel complains: %s" % line
                self.context = lines[n : n + 30]
                return
        self.context = lines[-15:]


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def exit_on_signals():
    """SIGTERM and SIGHUP unwind like Ctrl-C does, so `finally` cleans up."""

    def leave(signum, _frame):
        raise SystemExit(128 + signum)

    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, leave)


def run_main(main, failed=125):
    """What a program of the lab does with its main(): `failed` is the lab's own failure."""
    exit_on_signals()
    try:
        sys.exit(main())
    except LabError as e:
        say("error: %s" % e)
        sys.exit(failed)
    except KeyboardInterrupt:
        sys.exit(130)
