"""Which system calls a process that is not trusted may make: a filter for the kernel (seccomp), for every level.

It has threads but no other process, no socket, no other program, no limit that it could raise, nobody to signal but
itself, and no file whose mode, owner or times it could change, which Landlock does not look at.

Only the standard library is imported here: the filter is set before anything else is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator, Mapping

_X86_64 = {
    "accept": 43, "accept4": 288, "acct": 163, "add_key": 248, "adjtimex": 159, "bind": 49, "bpf": 321, "chmod": 90,
    "chown": 92, "chroot": 161, "clock_adjtime": 305, "clock_settime": 227, "clone": 56, "connect": 42,
    "delete_module": 176, "execve": 59, "execveat": 322, "fanotify_init": 300, "fanotify_mark": 301, "fchmod": 91,
    "fchmodat": 268, "fchown": 93, "fchownat": 260, "finit_module": 313, "fork": 57, "fremovexattr": 199,
    "fsetxattr": 190, "futimesat": 261, "init_module": 175, "ioperm": 173, "iopl": 172, "ioprio_set": 251, "kcmp": 312,
    "kexec_file_load": 320, "kexec_load": 246, "keyctl": 250, "kill": 62, "lchown": 94, "listen": 50,
    "lremovexattr": 198, "lsetxattr": 189, "memfd_create": 319, "migrate_pages": 256, "modify_ldt": 154, "mount": 165,
    "move_pages": 279, "mq_open": 240, "mq_unlink": 241, "msgctl": 71, "msgget": 68, "msgrcv": 70, "msgsnd": 69,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "perf_event_open": 298, "personality": 135, "pivot_root": 155,
    "prctl": 157, "prlimit64": 302, "process_vm_readv": 310, "process_vm_writev": 311, "ptrace": 101, "quotactl": 179,
    "reboot": 169, "removexattr": 197, "request_key": 249, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
    "sched_setaffinity": 203, "sched_setattr": 314, "sched_setparam": 142, "sched_setscheduler": 144, "seccomp": 317,
    "semctl": 66, "semget": 64, "semop": 65, "semtimedop": 220, "setdomainname": 171, "sethostname": 170, "setns": 308,
    "setpriority": 141, "setrlimit": 160, "settimeofday": 164, "setxattr": 188, "shmat": 30, "shmctl": 31, "shmdt": 67,
    "shmget": 29, "socket": 41, "swapoff": 168, "swapon": 167, "syslog": 103, "tgkill": 234, "tkill": 200,
    "umount2": 166, "unshare": 272, "userfaultfd": 323, "utime": 132, "utimensat": 280, "utimes": 235, "vfork": 58,
    "vhangup": 153,
}  # fmt: skip
_AARCH64 = {
    "accept": 202, "accept4": 242, "acct": 89, "add_key": 217, "adjtimex": 171, "bind": 200, "bpf": 280, "chroot": 51,
    "clock_adjtime": 266, "clock_settime": 112, "clone": 220, "connect": 203, "delete_module": 106, "execve": 221,
    "execveat": 281, "fanotify_init": 262, "fanotify_mark": 263, "fchmod": 52, "fchmodat": 53, "fchown": 55,
    "fchownat": 54, "finit_module": 273, "fremovexattr": 16, "fsetxattr": 7, "init_module": 105, "ioprio_set": 30,
    "kcmp": 272, "kexec_file_load": 294, "kexec_load": 104, "keyctl": 219, "kill": 129, "listen": 201,
    "lremovexattr": 15, "lsetxattr": 6, "memfd_create": 279, "migrate_pages": 238, "mount": 40, "move_pages": 239,
    "mq_open": 180, "mq_unlink": 181, "msgctl": 187, "msgget": 186, "msgrcv": 188, "msgsnd": 189,
    "name_to_handle_at": 264, "open_by_handle_at": 265, "perf_event_open": 241, "personality": 92, "pivot_root": 41,
    "prctl": 167, "prlimit64": 261, "process_vm_readv": 270, "process_vm_writev": 271, "ptrace": 117, "quotactl": 60,
    "reboot": 142, "removexattr": 14, "request_key": 218, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
    "sched_setaffinity": 122, "sched_setattr": 274, "sched_setparam": 118, "sched_setscheduler": 119, "seccomp": 277,
    "semctl": 191, "semget": 190, "semop": 193, "semtimedop": 192, "setdomainname": 162, "sethostname": 161,
    "setns": 268, "setpriority": 140, "setrlimit": 164, "settimeofday": 170, "setxattr": 5, "shmat": 196,
    "shmctl": 195, "shmdt": 197, "shmget": 194, "socket": 198, "swapoff": 225, "swapon": 224, "syslog": 116,
    "tgkill": 131, "tkill": 130, "umount2": 39, "unshare": 97, "userfaultfd": 282, "utimensat": 88, "vhangup": 58,
}  # fmt: skip
_EVERYWHERE = {
    "clone3": 435, "fsconfig": 431, "fsmount": 432, "fsopen": 430, "fspick": 433, "io_uring_enter": 426,
    "io_uring_register": 427, "io_uring_setup": 425, "memfd_secret": 447, "mount_setattr": 442, "move_mount": 429,
    "open_tree": 428, "pidfd_getfd": 438, "pidfd_open": 434, "pidfd_send_signal": 424, "process_madvise": 440,
    "process_mrelease": 448, "quotactl_fd": 443,
}  # fmt: skip
_LAST_KNOWN = 451
"""Later ones are answered as by a kernel that does not have them."""

_MACHINES: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "x86_64": (0xC000003E, _X86_64 | _EVERYWHERE),
    "aarch64": (0xC00000B7, _AARCH64 | _EVERYWHERE),
}
"""By the processor: how the kernel calls it, and the numbers of the calls that the filter knows. All are refused but
those that `_with_arguments` has a rule for, ``clone3``, and ``seccomp`` itself.
"""

_LOAD, _AND, _EQUAL, _ABOVE, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_CLONE_THREAD, _CLONE_NAMESPACES = 0x00010000, 0x7E020080
_X32_BIT = 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1

Instruction = tuple[int, int, int, int]
"""Code, steps to skip if it holds, steps to skip if it does not, and a number."""


def known_machine() -> bool:
    """Return whether the filter is known for this processor."""
    return os.name == "posix" and platform.machine() in _MACHINES


def filter_calls() -> None:
    """Set the filter for this process and whatever threads it has, for good.

    Raises
    ------
    OSError
        If the kernel does not take it.
    """
    _, numbers = _MACHINES[platform.machine()]
    program = b"".join(struct.pack("<HBBI", *one) for one in instructions(platform.machine(), os.getpid()))
    held = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    asked = Program(len(program) // 8, ctypes.addressof(held))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the process cannot give up the way to more privileges")
    if library.syscall(numbers["seccomp"], _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(asked)):
        raise OSError(ctypes.get_errno(), "the kernel does not take the filter of system calls")


def instructions(machine: str, own: int) -> list[Instruction]:
    """Return the filter for a processor and for the process of a number, as classic BPF."""
    architecture, numbers = _MACHINES[machine]
    refused = _ERROR | errno.EPERM
    rules = _with_arguments(own)
    found: list[Instruction] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    found += [(_LOAD, 0, 0, 0)]
    found += [(_ABOVE, 0, 1, _X32_BIT - 1), (_RETURN, 0, 0, refused)]
    found += [(_ABOVE, 0, 1, _LAST_KNOWN), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    for name in sorted({*numbers} - {*rules, "clone3", "seccomp"}):
        found += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, refused)]
    found += [(_EQUAL, 0, 1, numbers["clone3"]), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]  # glibc goes back to clone
    for name, rule in rules.items():
        found += [(_EQUAL, 0, len(rule), numbers[name]), *rule]
    return [*found, (_RETURN, 0, 0, _ALLOW)]


def _with_arguments(own: int) -> Mapping[str, list[Instruction]]:
    """Return the rules of calls that depend on their arguments; each ends with an answer."""
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERROR | errno.EPERM)
    return {
        "clone": [
            *_argument(0),
            (_AND, 0, 0, _CLONE_NAMESPACES | _CLONE_THREAD),
            (_EQUAL, 0, 1, _CLONE_THREAD),
            allow,
            refuse,
        ],
        "kill": [*_argument(0), (_EQUAL, 0, 1, own), allow, refuse],
        "tgkill": [*_argument(0), (_EQUAL, 0, 1, own), allow, refuse],
        "sched_setaffinity": [*_argument(0), (_EQUAL, 1, 0, 0), (_EQUAL, 0, 1, own), allow, refuse],
        # Reading a limit gives no new one: the pointer to it is null.
        "prlimit64": [
            *_argument(2),
            (_EQUAL, 0, 3, 0),
            *_argument(2, high=True),
            (_EQUAL, 0, 1, 0),
            allow,
            refuse,
        ],
        "prctl": [*_argument(0), (_EQUAL, 0, 1, _PR_SET_PDEATHSIG), refuse, allow],
    }


def _argument(number: int, *, high: bool = False) -> Iterator[Instruction]:
    """Yield what loads the lower or the higher half of an argument."""
    yield (_LOAD, 0, 0, 16 + 8 * number + (4 if high else 0))
