"""What a hostile provisioner tries, each attempt once without the sandbox and once in it.

- `payloads`   the attempts: small programs of the standard library, run by file name inside and outside
- `targets`    a process that is attacked like a worker would be, and a cloud behind a network interface
- `table`      which attempt is made on what, what the kernel answers in the sandbox, and which wall that is
- `hosts`      one worker host for an attacker of a given user: real targets, a real sandbox

`test_sandbox_escapes.py` runs the table; `docs/threat-model.md` shows it.
"""
