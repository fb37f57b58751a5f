"""selftests/lab/run-suites: the native unit tests, lint, then the matrix of suites
on emulated boards; what `make check` and `make check-long` run.

A suite prints TAP on the board. Each board is a child process of its own (this
file again, --child), so that a bad one cannot disturb the others. The last
line of everything is `N passed, N failed, N skipped`.

A suite says what its board needs in a comment, anywhere in its text:

    lab-needs: guest=trixie guest=forky module=vhost_net memory=4G timeout=900

  guest=NAME    Debian's kernel NAME as /guest/NAME, with /guest/initrd;
                guest=@args: those named in the suite's arguments
  module=NAME   a module of the host's Debian kernel, loaded
  disk=debian   a disk with Debian, /dev/vda on the board; `guest -d /dev/vda`
                boots it, e2fsck checks it
  guest-module=NAME  a module of the guest's Debian kernel, loaded there
  umbra=PARAMS  parameters of umbra.ko, comma separated (umbra=a=1,b=2)
  wake          /dev/lab/wake: SECONDS written there wake the board after that time
  no-umbra      umbra.ko and the launcher are there, but not loaded
  packages=SET  Debian programs as the board's /usr (selftests/lab/packages)
  kvm-selftests  KVM's own selftests, as /lab/kvm-selftests
  add=PATH      a file of the tree, as /lab/NAME
  firmware-max=N  fail when the firmware prints more lines than this (it prints
                one for each sret, sfence.vma or wfi that traps in U-mode)
  memory= timeout= append= icount= machine=   of the board

On the board: the suites in /lab/suites, everything in selftests' build
directory in /lab/selftests, the launcher and `guest` in /bin. The environment
has LAB_HOST, LAB_CPU, LAB_SMP.
"""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import lablib
from lablib import Board, LabError, say

TREE, LAB = lablib.TREE, lablib.LAB
LOG = os.path.join(TREE, "build", "log")
BUILT = os.path.join(TREE, "build", "selftests")
MATRIX = os.path.join(LAB, "matrix")


# --- TAP ---------------------------------------------------------------------


class Tap:
    """Judges a TAP stream. results: list of (passed|failed|skipped, name)."""

    def __init__(self):
        self.results = []
        self.plan = None
        self.bail = None
        self.diag = []

    LINE = re.compile(r"^(not )?ok\b *(\d+)? *(?:- )?([^#]*)(?:# *(\S+)?(.*))?$")

    def feed(self, line):
        line = line.rstrip("\r\n")
        if m := re.match(r"^1\.\.(\d+)(?: *# *SKIP(.*))?", line, re.I):
            self.plan = int(m.group(1))
            if self.plan == 0:
                self.results.append(("skipped", "all: " + (m.group(2) or "").strip(), []))
        elif m := re.match(r"^Bail out!(.*)", line):
            self.bail = m.group(1).strip() or "no reason given"
        elif m := self.LINE.match(line):
            name = m.group(3).strip() or "test %s" % m.group(2)
            word = (m.group(4) or "").upper()
            if word == "SKIP":
                what = "skipped"
                name += m.group(5) or ""
            elif m.group(1):
                # A known failure that is declared so (TODO) does not count as one.
                what = "skipped" if word in ("TODO", "XFAIL") else "failed"
            else:
                what = "passed"
            self.results.append((what, name, self.diag))
            self.diag = []
        elif line.startswith("#"):
            # kselftest's harness explains before the result, others after it.
            self.diag.append(line)
            if self.results and self.results[-1][0] == "failed":
                self.results[-1][2].append(line)

    def finish(self, status=0):
        """The results, with what is wrong with the stream as a whole."""
        out = list(self.results)
        ran = sum(1 for r in out if r[1][:5] != "all: ")
        if self.bail:
            out.append(("failed", "bailed out: " + self.bail, self.diag))
        elif self.plan is None:
            out.append(("failed", "the suite printed no plan (1..N)", self.diag))
        elif ran != self.plan:
            out.append(("failed", "planned %d tests, ran %d" % (self.plan, ran), self.diag))
        elif status and not any(r[0] == "failed" for r in out):
            out.append(("failed", "all tests passed, yet the suite's status is %d" % status, self.diag))
        return out


# --- the matrix --------------------------------------------------------------


def read_matrix():
    rows = {}
    with open(MATRIX) as f:
        for n, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            fields = line.split("\t")
            if len(fields) != 8:
                raise LabError("%s:%d: %d fields, not 8 (they are separated by tabs)" % (MATRIX, n, len(fields)))
            row = dict(zip(("id", "host", "cpu", "smp", "suite", "args", "level", "why"), fields))
            if row["id"] in rows:
                raise LabError("%s:%d: the id %s is taken" % (MATRIX, n, row["id"]))
            if row["host"] not in lablib.HOSTS or row["level"] not in ("check", "long"):
                raise LabError("%s:%d: unknown host or level" % (MATRIX, n))
            words = [] if row["args"] == "-" else shlex.split(row["args"])
            row["options"] = [w[1:] for w in words if w.startswith("@")]
            row["args"] = [w for w in words if not w.startswith("@")]
            rows[row["id"]] = row
    return rows


def find_suite(name):
    """(path of what runs on the board, path of its text)."""
    for base in (os.path.join(TREE, "selftests", "suites"), os.path.join(LAB, "suites")):
        script, source = os.path.join(base, name), os.path.join(base, name + ".c")
        if os.path.exists(script):
            return script, script
        if os.path.exists(source):
            return os.path.join(BUILT, "suites", name), source
    raise LabError("no suite named '%s' in selftests/suites or selftests/lab/suites" % name)


def needs(source, options):
    words = []
    with open(source, errors="replace") as f:
        for m in re.finditer(r"lab-needs:(.*)", f.read()):
            words += m.group(1).replace("*/", "").split()
    return words + options


def run_row(row):
    """One board, in a child process. Returns what the parent is told."""
    program, source = find_suite(row["suite"])
    if not os.path.exists(program):
        raise LabError("%s is not built" % program)
    b = Board(row["host"], row["cpu"], row["smp"])
    b.timeout = 600
    umbra, load, firmware_max = [], True, None
    for word in needs(source, row["options"]):
        key, _, value = word.partition("=")
        if key == "guest":
            for g in row["args"] if value == "@args" else [value]:
                if g in lablib.HOSTS:
                    b.guest_kernel(g)
        elif key == "module":
            b.debian_module(value)
        elif key == "disk":
            b.debian_disk([g for g in row["args"] if g in lablib.HOSTS])
        elif key == "guest-module":
            b.guest_module(value)
        elif key == "umbra":
            umbra += value.split(",")
        elif key == "wake":
            b.can_wake()
        elif key == "no-umbra":
            load = False
        elif key == "packages":
            b.packages(value)
        elif key == "kvm-selftests":
            b.add(os.path.join(lablib.CACHE, "kvm-selftests"))
        elif key == "add":
            b.add(os.path.join(TREE, value))
        elif key == "firmware-max":
            firmware_max = int(value)
        elif key == "timeout":
            b.timeout = int(value)
        elif key in ("memory", "append", "icount", "machine"):
            setattr(b, key, value)
        else:
            raise LabError("%s: unknown word '%s' in lab-needs" % (source, word))
    b.umbra(" ".join(umbra))
    if not load:
        b.modules.pop()
        b.rmmod = False
    b.add(program, "/lab/suites/" + row["suite"])
    if os.path.isdir(BUILT):
        b.add(BUILT, "/lab/selftests")
    b.env.update(LAB_HOST=row["host"], LAB_CPU=row["cpu"], LAB_SMP=row["smp"])
    base = os.path.join(LOG, row["id"])
    b.log = base + ".console"
    tap, pending = Tap(), [b""]
    with open(base + ".tap", "wb") as tap_file:

        def out(data):
            tap_file.write(data)
            tap_file.flush()
            pending[0] += data
            *lines, pending[0] = pending[0].split(b"\n")
            for line in lines:
                tap.feed(line.decode(errors="replace"))

        b.port("out", out)
        b.port("err", path=base + ".stderr")
        b.run("#!/bin/sh\nexec " + shlex.join(["/lab/suites/" + row["suite"]] + row["args"]) + "\n")
        if pending[0]:
            tap.feed(pending[0].decode(errors="replace"))
    results = tap.finish(b.status or 0) if b.status is not None else list(tap.results)
    if b.problem:
        results.append(("failed", b.problem, ["# " + line for line in b.context]))
    if firmware_max is not None:
        what = "failed" if b.firmware_lines > firmware_max else "passed"
        name = "the firmware prints at most %d lines (it printed %d)" % (firmware_max, b.firmware_lines)
        results.append((what, name, ["# " + line for line in b.firmware[:10]]))
    return {"results": results, "elapsed": b.elapsed, "firmware_lines": b.firmware_lines}


# --- the whole run -----------------------------------------------------------


class Run:
    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def take(self, where, results, again, log):
        tally = {"passed": 0, "failed": 0, "skipped": 0}
        for what, name, diag in results:
            tally[what] += 1
            self.counts[what] += 1
            if what == "failed":
                print("FAILED %s: %s" % (where, name))
                for line in diag[-30:]:
                    print("    " + line)
                print("    again: %s    logs: %s" % (again, log), flush=True)
            elif what == "skipped":
                print("skipped %s: %s" % (where, name), flush=True)
        return "%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % tally

    def finish(self):
        print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % self.counts, flush=True)
        return 1 if self.counts["failed"] or not self.counts["passed"] else 0


def unit_tests(run, where):
    """`make check` in a directory of tests that run here; prints TAP."""
    path = os.path.join(TREE, where)
    if not os.path.exists(os.path.join(path, "Makefile")):
        return
    name = "unit" if where == "selftests/unit" else "unit-" + where
    began = time.monotonic()
    log = os.path.join(LOG, name + ".tap")
    tap = Tap()
    # A suite of suites: every 1..N begins another one.
    done = []
    env = {k: v for k, v in os.environ.items() if k != "TIMEOUT"}
    with open(log, "wb") as f:
        p = subprocess.Popen(
            ["make", "-s", "--no-print-directory", "-C", path, "check"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
        )  # fmt: skip
        other = []
        try:
            for raw in p.stdout:
                f.write(raw)
                line = raw.decode(errors="replace")
                if line.startswith("TAP version") and (tap.results or tap.plan is not None):
                    done += tap.finish()
                    tap = Tap()
                elif re.match(r"^1\.\.\d+", line) and tap.plan is not None:
                    done += tap.finish()
                    tap = Tap()
                tap.feed(line)
                # A plan behind its tests ends them.
                if re.match(r"^1\.\.\d+", line) and tap.results:
                    done += tap.finish()
                    tap = Tap()
                if not re.match(r"^(ok|not ok|#|1\.\.|TAP)", line):
                    other.append(line.rstrip())
        finally:
            if p.poll() is None:
                p.terminate()
            status = p.wait()
    if tap.results or tap.plan is not None or not done:
        done += tap.finish()
    done = [(what, name, diag or other[-10:]) if what == "failed" else (what, name, diag) for what, name, diag in done]
    if status and not any(r[0] == "failed" for r in done):
        done.append(("failed", "make -C %s check: status %d" % (where, status), other[-30:]))
    text = run.take(name, done, "selftests/lab/enter make -C %s check" % where, "build/log/%s.tap" % name)
    say("unit tests in %s: %s (%d s)" % (where, text, time.monotonic() - began))


def lint(run):
    """What `make lint` does, as tests, both at once; checkpatch where setup has fetched it."""
    began = time.monotonic()
    results, busy = [], []
    for name, command, there in (
        ("sparse", ["build", "--sparse"], True),
        ("checkpatch", ["lint"], os.path.exists(os.path.join(lablib.CACHE, "checkpatch"))),
    ):
        if not there:
            results.append(("skipped", name + " is not fetched: run make lint once", []))
            continue
        log = open(os.path.join(LOG, "lint.%s.log" % name), "w+")
        command[0] = os.path.join(LAB, command[0])
        busy.append((name, log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)))
    for name, log, process in busy:
        status = process.wait()
        log.seek(0)
        said = [line.rstrip() for line in log if not line.startswith("  ")]
        results.append(("failed" if status else "passed", name + " has nothing to say", said))
        log.close()
    text = run.take("lint", results, "make lint", "build/log/lint.*.log")
    say("lint: %s (%d s)" % (text, time.monotonic() - began))


def start(row_id):
    return subprocess.Popen(
        [sys.executable, os.path.join(LAB, "suites.py"), "--child", row_id],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lablib._die_with_parent,
    )  # fmt: skip


def boards(run, rows, jobs):
    waiting, busy, total, n = list(rows), {}, len(rows), 0
    try:
        while waiting or busy:
            while waiting and len(busy) < jobs:
                row = waiting.pop(0)
                busy[row["id"]] = (row, start(row["id"]))
            time.sleep(0.1)
            for key, (row, p) in list(busy.items()):
                if p.poll() is None:
                    continue
                out, err = p.communicate()
                del busy[key]
                n += 1
                try:
                    told = json.loads(out)
                except ValueError:
                    text = err.decode(errors="replace").strip().splitlines() or ["status %d" % p.returncode]
                    told = {"results": [("failed", text[-1], text[:-1])], "elapsed": 0, "firmware_lines": 0}
                text = run.take(
                    row["id"], told["results"], "selftests/lab/run-suites " + key, "build/log/%s.*" % key
                )
                say(
                    "[%d/%d] %s: %s (%d s, %d lines from the firmware)"
                    % (n, total, key, text, told["elapsed"], told["firmware_lines"])
                )
    finally:
        for _, p in busy.values():
            p.send_signal(signal.SIGTERM)
        for _, p in busy.values():
            p.wait()


def main():
    p = argparse.ArgumentParser(prog="selftests/lab/run-suites", description="Runs Umbra's tests.")
    p.add_argument("--long", action="store_true", help="every row of the matrix, not only those of level check")
    p.add_argument("--unit", action="store_true", help="only the native unit tests")
    p.add_argument("--list", action="store_true", help="list the matrix and end")
    p.add_argument("--hosts", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--sets", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--disk", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--child", help=argparse.SUPPRESS)
    p.add_argument("row", nargs="*", help="only these rows of selftests/lab/matrix")
    a = p.parse_args()
    os.makedirs(LOG, exist_ok=True)
    rows = read_matrix()
    if a.child:
        json.dump(run_row(rows[a.child]), sys.stdout)
        return 0
    for r in a.row:
        if r not in rows:
            raise LabError("no row '%s' in %s" % (r, MATRIX))
    chosen = [rows[r] for r in a.row] or [r for r in rows.values() if a.long or r["level"] == "check"]
    if a.list:
        for r in chosen:
            print("%-24s %-7s %-36s %s  %-10s %-6s %s" % (
                r["id"], r["host"], r["cpu"], r["smp"], r["suite"], r["level"], r["why"]))  # fmt: skip
        return 0
    if a.hosts:
        print(" ".join(sorted({r["host"] for r in chosen})))
        return 0
    if a.sets:
        words = [w for r in chosen for w in needs(find_suite(r["suite"])[1], r["options"])]
        sets = {w.partition("=")[2] for w in words if w.startswith("packages=")}
        print(" ".join(sorted(sets | ({"kvm-selftests"} & set(words)))))
        return 0
    if a.disk:
        return not any("disk=debian" in needs(find_suite(r["suite"])[1], r["options"]) for r in chosen)
    run = Run()
    if not a.row:
        if a.long:
            os.environ.setdefault("STEPS", "3000000")  # of test_shadow
        unit_tests(run, "selftests/unit")
        unit_tests(run, "user")
        if not a.unit:
            lint(run)
    if not a.unit:
        boards(run, chosen, int(os.environ.get("JOBS") or max(1, os.cpu_count() or 1)))
    return run.finish()


if __name__ == "__main__":
    lablib.run_main(main)
