"""Tries what a strategy's process must not reach, and what it may; one line each: what, `got` or `denied`."""

import ctypes
import fcntl
import mmap
import os
import signal
import socket
import struct
import sys
import threading

# What the command names as a file may be read, so the secret is named otherwise.
PARENT, SECRET, OTHER = int(sys.argv[1]), sys.argv[2].partition("=")[2], sys.argv[3]
LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
F_SETOWN, F_SETSIG, FIOSETOWN, PR_SET_PDEATHSIG = 8, 10, 0x8901, 1


def attempt(what, act):
    try:
        got = act()
    except (OSError, MemoryError, RuntimeError) as error:
        print(what, "denied", error)
    else:
        print(what, "got", repr(got)[:80])


def read(path, count=-1):
    with open(path, "rb") as file:
        return file.read(count)


def call(name, *arguments):
    if getattr(LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def thread():
    started = threading.Thread(target=lambda: None)
    started.start()
    started.join()


def forks():
    return [os.fork() for _ in range(1000)]


attempt("parent's environment", lambda: read(f"/proc/{PARENT}/environ"))
attempt("parent's memory", lambda: read(f"/proc/{PARENT}/mem", 1))
attempt("parent's descriptors", lambda: os.listdir(f"/proc/{PARENT}/fd"))
attempt("parent by ptrace", lambda: call("ptrace", PTRACE_SEIZE, PARENT, 0, 0))
attempt("parent by process_vm_readv", lambda: call("process_vm_readv", PARENT, None, 0, None, 0, 0))
attempt("parent by signal", lambda: os.kill(PARENT, 0))
attempt("parent's limits", lambda: call("prlimit", PARENT, 7, None, None))
attempt("parent's priority", lambda: os.setpriority(os.PRIO_PROCESS, PARENT, 19))
attempt("secret file", lambda: read(SECRET))
attempt("folder of the secret", lambda: os.listdir(os.path.dirname(SECRET)))
attempt("writing beside the script", lambda: open(__file__ + ".new", "w").write("x"))
attempt("writing to /tmp", lambda: open(f"/tmp/{OTHER}", "w").write("x"))
attempt("processes", lambda: forks())
attempt("spawn", lambda: os.posix_spawn("/bin/true", ["true"], {}))
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", 6379)))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("4 GiB", lambda: len(bytearray(4 << 30)))
attempt("4 GiB shared", lambda: len(mmap.mmap(-1, 4 << 30)))

PIPE, WRITTEN = os.pipe()
attempt("parent by a pipe's signal", lambda: fcntl.fcntl(PIPE, F_SETOWN, PARENT))
attempt("parent by a socket's signal", lambda: fcntl.ioctl(socket.socketpair()[0], FIOSETOWN, struct.pack("i", PARENT)))
attempt("another signal for a pipe", lambda: fcntl.fcntl(PIPE, F_SETSIG, signal.SIGKILL))
attempt("no end with the parent", lambda: call("prctl", PR_SET_PDEATHSIG, 0, 0, 0, 0))
attempt("rights of the script", lambda: os.chmod(__file__, 0o777))
attempt("owner of the script", lambda: os.chown(__file__, os.getuid(), os.getgid()))
attempt("times of the script", lambda: os.utime(__file__))
attempt("attributes of the script", lambda: os.setxattr(__file__, "user.of", b"strategy"))
os.close(PIPE)
os.close(WRITTEN)

attempt("own script", lambda: read(__file__, 1))
attempt("thread", thread)
attempt("null", lambda: open("/dev/null", "w").write("x"))
attempt("own signal", lambda: os.kill(os.getpid(), 0))

inherited = []
for number in range(3, 64):
    try:
        os.fstat(number)
    except OSError:
        continue
    inherited.append(number)
print("descriptors", inherited)
print("environment", sorted(os.environ))
print("user", os.getuid())
