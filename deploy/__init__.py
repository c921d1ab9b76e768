"""Plays Interlock on one machine: the demo (`deploy.demo`), and examples/shop on the same stage (`deploy.shop`)."""
