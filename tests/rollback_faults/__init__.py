"""Faults at every wire call of a deployment, and whether what follows brings the first state back.

configuration/  an example of more than forty resources in two releases
cloud           the demo's verifying cloud with a switch: the n-th call of a target fails, or is held
switch          that switch: which call is struck, and how; pure but for its lock
inventory       what is in a region, attribute by attribute, with names instead of ids
judgement       two inventories and what Interlock said about them -> a verdict; pure
world           the system, its releases, and a pair of workers for each job
plan            the cases that there are, and a sample of them
job             one case after the other on a pair of hosts: from the first release through the second and back
scenarios       bakes, and every part killed at every step of a rollback
results         the file of results, which a cut run goes on from, and their sums
suite           the cases, side by side;  `__main__` the command
"""
