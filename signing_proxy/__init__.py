"""The signing proxy: the only way out for a provisioner, open while its lease is live.

A map, in the order of a call's life:

- ``main`` wires everything; ``control`` takes runs from the worker; ``core`` embeds mitmproxy and serves each run.
- ``connection`` is the choke point: permits, hooks that fail closed, and over ``sockets`` that ask the gate before each
  byte. ``kernel_gate`` (with ``bpf``) is the same gate in the kernel, for when this process is stopped.
- ``upload`` passes large objects on but for their last byte; ``budget`` bounds what is held in memory, ``descriptors``
  what is opened.
- ``addons/`` check a call, one concern a class; ``calls`` says which checks are needed; ``runs`` holds what belongs
  to a lease; ``keeper`` polls, cuts and acknowledges, ``push`` makes that fast.
- ``permissions`` asks the scheduler what a run may do and latches the run that goes beyond.
- ``destination``, ``classify`` (with ``catalog``, ``service_index`` and ``access``), ``allowance`` (with ``needs`` and
  ``resource_types``), ``identifiers``, ``denial`` and ``signers/`` are pure: values in, decisions out.
- ``recorder`` settles every call once, in the ``journal``, the ``metrics`` and the log.
"""
