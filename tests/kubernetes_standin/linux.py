"""The few Linux system calls a container needs that Python 3.10 does not wrap.

Imported by the sandbox launcher, which runs with ``python -I -S``: standard library only.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY = 0x1
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process into new namespaces. Raises ``OSError`` when the kernel refuses."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def set_namespace(descriptor: int, flag: int) -> None:
    """Join the namespace an open ``/proc/PID/ns/*`` file stands for."""
    _check(_libc.setns(descriptor, flag), f"setns({flag:#x})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """``mount(2)``; paths as seen by this process."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, f"mount({source!r} on {target!r}, {kind or 'bind'}, {options})")


def unmount(target: str, flags: int = 0) -> None:
    """``umount2(2)``."""
    _check(_libc.umount2(target.encode(), flags), f"umount({target!r})")


def pivot_root(new_root: str, old_root: str) -> None:
    """Make ``new_root`` the root; the former one appears at ``old_root``, a directory below it."""
    _check(_libc.pivot_root(new_root.encode(), old_root.encode()), f"pivot_root({new_root!r})")


def set_hostname(name: str) -> None:
    """``sethostname(2)``."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, ctypes.c_size_t(len(encoded))), f"sethostname({name!r})")


def process_control(option: int, value: int) -> None:
    """``prctl(2)`` with one argument."""
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl({option})")
