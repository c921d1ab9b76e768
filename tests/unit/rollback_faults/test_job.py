"""What Interlock said is read as it was meant."""

from __future__ import annotations

from shared.rollback.records import Residue, ResidueKind
from tests.rollback_faults.job import told_of
from tests.rollback_faults.judgement import Told


def test_residue_names_a_thing_by_its_id() -> None:
    residue = Residue(kind=ResidueKind.LEFT, address="aws_vpc.main", type="aws_vpc", id="vpc-1", reason="refused")
    assert told_of(residue) == Told(kind="left", type="aws_vpc", ids=("vpc-1",), address="aws_vpc.main")


def test_residue_of_a_call_names_a_thing_by_all_that_the_call_named() -> None:
    address = "ec2:CreateSecurityGroup (GroupName=r0-a3-web-2, groupId=sg-f3387700596e8c0c9)"
    residue = Residue(kind=ResidueKind.LEFT, address=address, type="", reason="nobody holds it")
    assert told_of(residue).ids == ("r0-a3-web-2", "sg-f3387700596e8c0c9")
