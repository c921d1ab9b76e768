"""The model of the lease protocol and the driver that checks it with Spin."""
