"""selftests/lab/bench: the table of `make bench`.

Boards run with -icount shift=0,sleep=off and one hart: one instruction is one
nanosecond of their time, whoever executes it, so the times that umbra-bench
(user/bench.c) takes are instruction counts, and repeat. The same kernel with the
same initial RAM disk (umbra-bench alone) runs

  N  on the board
  U  under Umbra on the board

and with --all

  K  under KVM on a board with the H extension
  T  under QEMU's own emulation (TCG) inside the board

U runs twice: for the times, and with a module that counts what the switcher does
(make UMBRA_COUNT=y), asked before and after each row. Documentation/performance.rst
explains the columns.
"""

import argparse
import collections
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import time

import lablib
from lablib import TREE, Board, LabError, say

HOST = "trixie"
ICOUNT = "shift=0,sleep=off"
MEMORY = "768M"
# The kernel's own tests run long after its boot, and would be in the first rows. Where
# things lie decides which instructions share a place in the hot table.
VERBOSE = "cryptomgr.notests nokaslr norandmaps"
QUIET = "quiet " + VERBOSE
BUILT = os.path.join(TREE, "build", HOST)
LOG = os.path.join(TREE, "build", "log")
RESULTS = os.path.join(TREE, "selftests", "results")
# One tick of the boards' time CSR, 10 MHz, in instructions.
TICK = 100
MIB = 1 << 20

CPUS = {
    "default": "rv64,h=false",
    # Like the boards that are sold: Sv39, nothing that makes it easy.
    "board": "rv64,h=false,sv57=off,sv48=off,sstc=off,svadu=off,svade=on,svvptc=off",
}

# Counters of the module (stats.c), as columns.
COLUMNS = (
    ("irq", "exit_irq"),
    ("page_fault", "exit_page_fault"),
    ("illegal", "exit_illegal"),
    ("breakpoint", "exit_breakpoint"),
    ("ecall", "exit_ecall"),
    ("other", "exit_other"),
    ("world_switches", "exits"),
    ("satp_writes", "satp_writes"),
    ("fences", "fences"),
    ("firmware_traps", "firmware"),
    ("shadow_fills", "fills"),
    ("switcher_traps", "switcher_traps"),
)


# --- what umbra-bench says --------------------------------------------------------


class Report:
    """Lines of umbra-bench, as they come.

    rows: nanoseconds by row; ops: operations between its marks; counted: by row,
    what each counter grew by between them; start, boot: the time CSR before
    the exec of the launcher and at the guest's init.
    """

    def __init__(self, label):
        self.label = label
        self.rows = {}
        self.ops, self.instructions = collections.Counter(), collections.Counter()
        self.counted = collections.defaultdict(collections.Counter)
        self.start = self.boot = self.stamp = None
        self.done = False
        self._text = b""

    def feed(self, data):
        self._text += data
        *lines, self._text = self._text.split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace").split("\t"))

    def _line(self, w):
        if w[0] == "row":
            self.rows[w[1]] = float(w[2])
            print("lab:   %s %-20s %14.1f" % (self.label, w[1], float(w[2])), file=sys.stderr, flush=True)
        elif w[0] == "ops":
            self.ops[w[1]] += int(w[2])
            self.instructions[w[1]] += int(w[3])
        elif w[0] == "stat":
            sign = -1 if w[1] == "begin" else 1
            self.counted[w[2]][w[4]] += sign * int(w[5])
        elif w[0] == "start":
            self.start = int(w[1])
        elif w[0] == "boot":
            self.boot, self.stamp = int(w[1]), int(w[2])
        elif w[0] == "done":
            self.done = True


def counts(report, row):
    """Counters for one operation of a row; what the marks cost is taken off."""
    per = {}
    counted, nothing = report.counted[row], report.counted.get("nothing", {})
    for name, n in counted.items():
        per[name] = max(0, n - nothing.get(name, 0)) / report.ops[row]
    # By the run loop, and in the switcher.
    per["fills"] = per.get("shadow_fill", 0) + per.get("fast_fill", 0)
    # Redirected by the firmware, or a call of the host's to it.
    per["firmware"] = per.get("exit_illegal", 0) + per.get("exit_other", 0) + per.get("host_sbi", 0)
    return per


# --- kernels and RAM disks ----------------------------------------------------------


def tool():
    return os.path.join(BUILT, "user", "umbra-bench")


def initrd():
    """The same as umbra-bench --guest makes."""
    c = lablib.Cpio()
    c.dir("dev")
    c.device("dev/console", 5, 1)
    c.file("init", tool())
    return c.finish()


def kernel_image():
    with open(lablib.kernel(HOST)["VMLINUZ"], "rb") as f:
        image = f.read()
    if image[56:60] != b"RSC\x05" or image[:2] != b"MZ":
        raise LabError("Debian's kernel is no plain Image with an EFI header: bench.py has to learn its format")
    return image


def stamp_image(size=None):
    """The kernel's image that says the time and ends; padded to a size."""
    with tempfile.TemporaryDirectory() as tmp:
        obj, raw = os.path.join(tmp, "o"), os.path.join(tmp, "bin")
        cross = "riscv64-linux-gnu-"
        source = os.path.join(TREE, "selftests", "bench", "stamp.S")
        subprocess.run([cross + "gcc-14", "-march=rv64i_zicsr", "-mabi=lp64", "-c", "-o", obj, source], check=True)
        subprocess.run([cross + "objcopy", "-O", "binary", obj, raw], check=True)
        with open(raw, "rb") as f:
            code = f.read()
    image = bytearray(kernel_image())
    # Behind "MZ", which is an instruction that does nothing: jump over the header.
    image[2:6] = struct.pack("<I", 0x6F | (64 - 2) >> 1 << 21)
    image[64 : 64 + len(code)] = code
    if size:
        image += image[: size - len(image)]
        image[16:24] = struct.pack("<Q", size)
    return bytes(image)


# --- N ----------------------------------------------------------------------------


def qemu(cpu, kernel, ramdisk, append, log, port=None):
    cmd = ["qemu-system-riscv64", "-M", "virt", "-cpu", cpu, "-smp", "1", "-m", MEMORY]
    cmd += ["-display", "none", "-monitor", "none", "-nodefaults", "-no-reboot"]
    cmd += ["-accel", "tcg,thread=single", "-icount", ICOUNT]
    cmd += ["-kernel", kernel, "-initrd", ramdisk, "-append", append]
    cmd += ["-chardev", "file,id=console,path=" + log, "-serial", "chardev:console"]
    if port:
        cmd += ["-device", "virtio-serial-pci,id=vs", "-chardev", "file,id=bench,path=" + port]
        cmd += ["-device", "virtserialport,bus=vs.0,nr=1,chardev=bench,name=bench"]
    return cmd


def native(cpu, args, append=QUIET):
    """The kernel and umbra-bench on the board itself."""
    report = Report("N")
    log = os.path.join(LOG, "bench.native.log")
    with tempfile.TemporaryDirectory() as tmp:
        rd, out = os.path.join(tmp, "initrd"), os.path.join(tmp, "out")
        with open(rd, "wb") as f:
            f.write(initrd())
        open(out, "w").close()
        line = "console=ttyS0 %s -- %s" % (append, shlex.join(args))
        cmd = qemu(cpu, lablib.kernel(HOST)["VMLINUZ"], rd, line, log, out)
        p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, preexec_fn=lablib._die_with_parent)
        try:
            with open(out, "rb") as f:
                while p.poll() is None:
                    time.sleep(0.2)
                    report.feed(f.read())
                report.feed(f.read())
        finally:
            if p.poll() is None:
                p.kill()
    if not report.done:
        raise LabError("N: the board ended early; its console: " + log)
    return report


def native_stamp(cpu):
    """The time CSR at the kernel's first instruction."""
    log = os.path.join(LOG, "bench.stamp.log")
    with tempfile.TemporaryDirectory() as tmp:
        rd, image = os.path.join(tmp, "initrd"), os.path.join(tmp, "image")
        for path, data in ((rd, initrd()), (image, stamp_image())):
            with open(path, "wb") as f:
                f.write(data)
        subprocess.run(qemu(cpu, image, rd, QUIET, log), stdin=subprocess.DEVNULL, timeout=300, check=True)
    return read_stamp(open(log, errors="replace").read())


def read_stamp(text):
    found = re.findall(r"^([0-9a-f]{16})\r?$", text, re.M)
    if not found:
        raise LabError("the kernel that says the time said nothing: %s" % text[-200:])
    return int(found[-1], 16)


# --- U ----------------------------------------------------------------------------


def bench_board(cpu, name):
    b = Board(HOST, cpu, 1, "2G")
    b.icount, b.append, b.timeout = ICOUNT, QUIET, 3600
    b.guest_kernel(HOST)
    b.log = os.path.join(LOG, "bench.%s.log" % name)
    b.err = os.path.join(LOG, "bench.%s.err" % name)
    b.port("err", path=b.err)
    return b


def umbra_board(cpu, name, counting=False):
    b = bench_board(cpu, name)
    # Most boards have no ASIDs.
    b.umbra("asids=0" if cpu == CPUS["board"] else "", os.path.join(TREE, "build", HOST + ".count") if counting else None)
    b.add(os.path.join(TREE, "selftests", "bench", "hook"), "/bin/bench-hook")
    return b


def run(b, script, what):
    # What the board does after its start is over then.
    b.run("#!/bin/sh\nsleep 5\n" + script)
    if b.problem or b.status:
        with open(b.err, errors="replace") as f:
            text = f.read().strip()
        raise LabError("%s: %s %s; the board's console: %s" % (what, b.problem or "status %s" % b.status, text, b.log))


def guest_command(args, rows, append=QUIET, hook=False, runner=None):
    cmd = ["umbra-bench", "--raw", "--guest", "/guest/" + HOST, "--memory", MEMORY, "--append", append]
    if hook:
        cmd += ["--instructions", "--hook", 'bench-hook "$0" "$1" "$2"']
    if runner:
        cmd += ["--with", runner]
    return shlex.join(cmd + args + rows) + "\n"


def under_umbra(cpu, args, rows):
    """Times."""
    report = Report("U")
    b = umbra_board(cpu, "umbra")
    b.port("out", report.feed)
    run(b, guest_command(args, rows), "U")
    return report


def counted(cpu, args, rows):
    """Counters, and instructions of the whole board."""
    report = Report("U, counting:")
    b = umbra_board(cpu, "count", counting=True)
    b.env["BENCH_HOOK"] = "count"
    b.port("out", report.feed)
    watch = "mkdir /sys/kernel/tracing/instances/bench\n"
    watch += "echo 1 >/sys/kernel/tracing/instances/bench/events/riscv/sbi_call/enable\n"
    run(b, watch + guest_command(args, ["nothing"] + rows if rows else [], hook=True), "U, counting")
    return report


# --- K and T --------------------------------------------------------------------------


class Rival:
    """Debian's QEMU on a board, with KVM or its own emulation."""

    def __init__(self, label, name, cpu, accel, args):
        self.label, self.name, self.cpu, self.args = label, name, cpu, args
        qemu = "qemu-system-riscv64 -M virt -smp 1 -m %s -display none -monitor none" % MEMORY
        qemu += " -nodefaults -no-reboot %s -serial stdio" % accel
        self.launch = qemu + " -kernel $1 $2 -append x"
        # Of a pair of pipes QEMU wants port.in and port.out.
        self.runner = "ln -s port $BENCH_PORT.out && exec %s -kernel $BENCH_KERNEL" % qemu
        self.runner += ' -initrd $BENCH_INITRD -append "console=ttyS0 $BENCH_APPEND"'
        self.runner += " -device virtio-serial-pci -chardev pipe,id=bench,path=$BENCH_PORT"
        self.runner += " -device virtserialport,chardev=bench,name=bench"

    def board(self, what):
        b = bench_board(self.cpu, "%s.%s" % (self.name, what))
        b.add(tool(), "/bin/umbra-bench")
        b.packages("qemu")
        if self.name == "kvm":
            b.debian_module("kvm")
        return b

    def rows(self, rows):
        report = Report(self.label)
        b = self.board("rows")
        b.env["BENCH_HOOK"] = "true"
        b.add(os.path.join(TREE, "selftests", "bench", "hook"), "/bin/bench-hook")
        b.port("out", report.feed)
        # The marks are for nanosleep_1ms; they lie outside what is timed.
        script = guest_command(self.args, ["nothing"] + rows if rows else [], hook=True, runner=self.runner)
        run(b, script, self.label)
        took_sleep(report, report.rows)
        report.rows.pop("nothing", None)
        return report.rows

    def starts(self):
        found = guest_starts(self.board("start"), self.launch, self.runner, own_clock=True)
        # QEMU's own start is no row of ours.
        del found["launcher_start"]
        return found


# The guest's PMU, which makes its Linux turn on user-mode rdtime, wants Sscofpmf of KVM.
# T takes fifty times as long, so it does less.
RIVALS = (
    Rival("K", "kvm", "rv64,h=true,sscofpmf=on", "-accel kvm -cpu host", ["--idle", "5"]),
    Rival("T", "tcg", CPUS["default"], "-accel tcg -cpu rv64", ["--idle", "1", "--batches", "1", "--scale", "0.02"]),
)


# --- starts and boots ---------------------------------------------------------------


STARTS = ("launcher_start", "boot", "boot_console", "boot_stamps")


def guest_starts(b, launch, runner=None, own_clock=False):
    """The rows STARTS, in instructions.

    First the kernel that only says the time, twice (the first pulls programs into
    the cache), then the real one. The guest's time CSR is its host's. boot begins
    with the guest's first instruction, boot_stamps with its kernel's first time
    stamp, some 100 million instructions later.

    launch: the command that starts the guest $1 with $2; runner: the same for
    umbra-bench. own_clock: the guest's time begins with its machine.
    """
    out = []
    b.cpio.bytes("guest/stamp", stamp_image(), 0o644)
    b.cpio.bytes("guest/stamp32", stamp_image(32 * MIB), 0o644)
    b.port("out", out.append)
    script = "stamp() {\n"
    script += "umbra-bench --raw --guest $1 --memory %s --with \"%s" % (MEMORY, launch)
    script += " </dev/null >/tmp/stamp; echo done >\\$BENCH_PORT\"\ncat /tmp/stamp\n}\n"
    for image, extra in (("/guest/stamp32", ""), ("/guest/stamp", "--initrd \\$BENCH_INITRD")):
        script += 2 * ('stamp %s "%s"\n' % (image, extra))
    for append in (QUIET, VERBOSE):
        script += guest_command(["--idle", "0"], ["none"], append, runner=runner)
    run(b, script, "starts")
    text = b"".join(out).decode(errors="replace").replace("\r", "")
    starts = [int(s) for s in re.findall(r"^start\t(\d+)$", text, re.M)]
    stamps = [int(s, 16) for s in re.findall(r"^([0-9a-f]{16})$", text, re.M)]
    boots = [(int(t), int(us)) for t, us in re.findall(r"^boot\t(\d+)\t(\d+)$", text, re.M)]
    if len(starts) != 6 or len(stamps) != 4 or len(boots) != 2:
        raise LabError("starts: the board said:\n" + text)
    if own_clock:
        starts = [0] * len(starts)
    start = [stamps[i] - starts[i] for i in range(4)]
    return {
        "launcher_start": start[1] * TICK,
        "boot": (boots[0][0] - starts[4] - start[3]) * TICK,
        "boot_console": (boots[1][0] - starts[5] - start[3]) * TICK,
        "boot_stamps": boots[0][1] * 1000,
    }


def umbra_starts(cpu):
    launch = "umbra run --kernel $1 $2 --memory %s --no-reboot --append x" % MEMORY
    return guest_starts(umbra_board(cpu, "start"), launch)


def native_starts(cpu):
    first = native_stamp(cpu)
    quiet, console = (native(cpu, ["none", "--idle", "0"], append) for append in (QUIET, VERBOSE))
    return {
        "boot": (quiet.boot - first) * TICK,
        "boot_console": (console.boot - first) * TICK,
        "boot_stamps": quiet.stamp * 1000,
    }


# --- a kernel that fences everything, four times in each trap ---------------------------


MINI = "mini_syscall"
MINI_ELF = os.path.join(TREE, "build", "selftests", "guests", "m-mini-sstc.elf")


def read_mini(text):
    found = re.search(r"^# (\d+) ns for a system call", text, re.M)
    if not found:
        raise LabError(MINI + ": the guest said:\n" + text)
    return {MINI: float(found.group(1))}


def native_mini(cpu):
    """It sets its timer itself: clint would do it in M-mode."""
    with tempfile.TemporaryDirectory() as tmp:
        log = os.path.join(tmp, "log")
        cmd = ["qemu-system-riscv64", "-M", "virt", "-cpu", cpu + ",sstc=on", "-m", "128M", "-bios", "none"]
        cmd += ["-display", "none", "-monitor", "none", "-nodefaults", "-no-reboot", "-serial", "file:" + log]
        cmd += ["-accel", "tcg,thread=single", "-icount", ICOUNT, "-kernel", MINI_ELF]
        cmd += ["-global", "virtio-mmio.force-legacy=false"]
        for n, serial in enumerate(("umbra-test", "")):
            disk = os.path.join(tmp, "disk%d" % n)
            with open(disk, "wb") as f:
                f.truncate(2 * MIB)
            cmd += ["-drive", "if=none,format=raw,discard=unmap,id=d%d,file=%s" % (n, disk)]
            cmd += ["-device", "virtio-blk-device,bus=virtio-mmio-bus.%d,drive=d%d,serial=%s" % (n, n, serial)]
        subprocess.run(cmd, stdin=subprocess.DEVNULL, timeout=300, check=True)
        with open(log, errors="replace") as f:
            return read_mini(f.read().replace("\r", ""))


def umbra_mini(cpu):
    out = []
    b = umbra_board(cpu, "mini")
    b.add(MINI_ELF, "/guest/mini.elf")
    b.port("out", out.append)
    script = "truncate -s 2M /tmp/a /tmp/b\n"
    script += "umbra run --bios none --kernel /guest/mini.elf --memory 128M --no-reboot"
    script += " --disk /tmp/a,serial=umbra-test --disk /tmp/b </dev/null\n"
    run(b, script, MINI)
    return read_mini(b"".join(out).decode(errors="replace").replace("\r", ""))


# --- profile --------------------------------------------------------------------------


def symbols(cpu):
    """[(address, name)] of the kernel without KASLR, and of umbra-bench; sorted."""
    path = os.path.join(BUILT, "kallsyms." + lablib.kernel(HOST)["KVER"])
    if not os.path.exists(path):
        say("reading the kernel's symbols")
        b = Board(HOST, cpu, 1)
        b.append = "nokaslr"
        b.port("out", path=path + ".new")
        b.run("#!/bin/sh\ncat /proc/kallsyms\n")
        os.rename(path + ".new", path)
    found = []
    with open(path) as f:
        for line in f:
            w = line.split()
            if len(w) >= 3 and w[1] in "tT":
                found.append((int(w[0], 16), w[2]))
    nm = subprocess.run(["riscv64-linux-gnu-nm", tool()], stdout=subprocess.PIPE, check=True, text=True).stdout
    for line in nm.splitlines():
        w = line.split()
        if len(w) == 3 and w[1] in "tT":
            found.append((int(w[0], 16), w[2] + " (user)"))
    return sorted(found)


def resolve(syms, pc):
    lo, hi = 0, len(syms)
    while lo < hi:
        mid = (lo + hi) // 2
        if syms[mid][0] <= pc:
            lo = mid + 1
        else:
            hi = mid
    if not lo or pc - syms[lo - 1][0] > 1 << 20:
        return "?"
    return "%s+0x%x" % (syms[lo - 1][1], pc - syms[lo - 1][0])


REASONS = {
    0x2: "illegal", 0x3: "breakpoint", 0x8: "ecall", 0xC: "fetch fault", 0xD: "load fault", 0xF: "store fault",
    1 << 63 | 1: "irq software", 1 << 63 | 5: "irq timer", 1 << 63 | 9: "irq external",
}  # fmt: skip


def profile_script(rows, scale):
    """What the board runs: the rows, with a trace of their world exits."""
    if rows != ["boot"]:
        args = ["--idle", "5", "--scale", str(scale), "--batches", "1"]
        return guest_command(args, ["nothing"] + rows, QUIET, hook=True)
    hook = "bench-hook %s boot >&2\n"
    return hook % "begin" + guest_command(["--idle", "0"], ["none"], QUIET) + hook % "end"


def profile(cpu, rows, scale):
    """Where the world exits of rows come from; "boot" goes alone."""
    trace = os.path.join(LOG, "bench.trace")
    syms = symbols(cpu)
    report = Report("U")
    b = umbra_board(cpu, "profile")
    b.env["BENCH_HOOK"] = "profile"
    b.port("out", report.feed)
    b.port("trace", path=trace)
    run(b, "echo 400000 >/sys/kernel/tracing/buffer_size_kb\n" + profile_script(rows, scale), "profile")
    seen, row = collections.defaultdict(collections.Counter), None
    with open(trace, errors="replace") as f:
        for line in f:
            if line.startswith("row "):
                row = line.split()[1]
            elif m := re.search(r"umbra_exit: .*scause (\S+) .*pc (\S+) ", line):
                seen[row][int(m.group(1), 16), int(m.group(2), 16)] += 1
    for row in rows:
        ops = report.ops[row] or 1
        # What the marks themselves cause.
        seen[row] -= seen["nothing"]
        print("%s: %.2f world exits for each of %d operations" % (row, sum(seen[row].values()) / ops, ops))
        by_reason = collections.Counter()
        for (cause, _), n in seen[row].items():
            by_reason[cause] += n
        for cause, n in by_reason.most_common():
            print("  %10.3f  %s" % (n / ops, REASONS.get(cause, hex(cause))))
        print("  %10s  %-14s %-18s %s" % ("exits/op", "reason", "pc", "where"))
        for (cause, pc), n in seen[row].most_common(40):
            print("  %10.3f  %-14s %-18x %s" % (n / ops, REASONS.get(cause, hex(cause)), pc, resolve(syms, pc)))
    say("every exit, in order: " + os.path.relpath(trace, TREE))
    return 0


# --- the table ----------------------------------------------------------------------------


def number(x):
    if x is None:
        return ""
    if x == 0:
        return "0"
    return "%.0f" % x if x >= 1000 else "%.2f" % x


def table(rows, times, counter, path):
    """Prints it, and writes it to path. times: {column: {row: instructions}}."""
    ratios = ["U/N"] + (["T/U"] if "T" in times else [])
    head = ["op"] + list(times) + ratios + [c for c, _ in COLUMNS]
    lines = []
    for row in rows:
        ns = [times[c].get(row) for c in times]
        line = [row] + [number(x) for x in ns]
        for over, under in (r.split("/") for r in ratios):
            over, under = times[over].get(row), times[under].get(row)
            line.append("%.2f" % (over / under) if over and under else "")
        per = counts(counter, row) if counter and row in counter.ops else None
        line += [number(per.get(key, 0)) if per else "" for _, key in COLUMNS]
        lines.append(line)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        for line in [head] + lines:
            f.write("\t".join(line) + "\n")
    width = [max(len(line[i]) for line in [head] + lines) for i in range(len(head))]
    for line in [head] + lines:
        print("  ".join([line[0].ljust(width[0])] + [line[i].rjust(width[i]) for i in range(1, len(head))]))
    say("written to " + os.path.relpath(path, TREE))


def took_sleep(report, rows):
    """nanosleep_1ms in instructions of the whole machine, without those of the marks."""
    if "nanosleep_1ms" in report.ops:
        spent = report.instructions["nanosleep_1ms"] - report.instructions.get("nothing", 0)
        rows["nanosleep_1ms"] = spent / report.ops["nanosleep_1ms"]


def bench(cpu, rows, path, rivals):
    every = ["--idle", "5"]
    times = {c: {} for c in ["N", "U"] + [r.label for r in rivals]}
    began = time.monotonic()

    def told(what):
        say("%s (%d s so far)" % (what, time.monotonic() - began))

    told("natively")
    n = native(cpu, every + ["--instructions"] + rows)
    times["N"].update(n.rows)
    told("under Umbra")
    u = under_umbra(cpu, every, rows)
    times["U"].update(u.rows)
    told("under Umbra, counting")
    counter = counted(cpu, every + ["--batches", "1"], rows)
    took_sleep(counter, times["U"])
    if not rows or set(STARTS) & set(rows):
        told("starts and boots")
        times["N"].update(native_starts(cpu))
        times["U"].update(umbra_starts(cpu))
    if not rows or MINI in rows:
        told(MINI)
        times["N"].update(native_mini(cpu))
        times["U"].update(umbra_mini(cpu))
    for rival in rivals:
        told("under " + rival.name)
        times[rival.label].update(rival.rows(rows))
        if not rows or set(STARTS) & set(rows):
            told("starts under " + rival.name)
            times[rival.label].update(rival.starts())
    told("done")
    order = list(n.rows) + [MINI, "boot", "boot_stamps", "boot_console", "launcher_start"]
    table([r for r in order if r in times["U"] and (not rows or r in rows)], times, counter, path)
    return 0


def main():
    p = argparse.ArgumentParser(prog="selftests/lab/bench", description="Prints the table of `make bench`.")
    p.add_argument("--board", action="store_true", help="a board-like CPU: " + CPUS["board"])
    p.add_argument("--all", action="store_true", help="KVM with H, and QEMU's TCG inside the board, too")
    p.add_argument("--profile", action="store_true", help="where the world exits of these rows come from")
    p.add_argument("--scale", type=float, default=0.5, help="of the operations, with --profile (default 0.5)")
    p.add_argument("--output", help="the table goes to this file")
    p.add_argument("row", nargs="*", help="only these rows (umbra-bench --list)")
    a = p.parse_args()
    os.makedirs(LOG, exist_ok=True)
    kind = "board" if a.board else "default"
    if a.profile:
        if not a.row:
            p.error("--profile wants rows")
        return profile(CPUS[kind], a.row, a.scale)
    # Some rows alone do not replace the record of all.
    path = os.path.join(LOG if a.row else RESULTS, "bench-board.tsv" if a.board else "bench.tsv")
    return bench(CPUS[kind], a.row, os.path.abspath(a.output) if a.output else path, RIVALS if a.all else ())


if __name__ == "__main__":
    lablib.run_main(main, failed=1)
