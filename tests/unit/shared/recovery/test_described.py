"""How EC2 describes things."""

from __future__ import annotations

from shared.recovery.described import EC2, RULE_DIRECTIONS
from shared.recovery.table import TABLE


def test_every_described_type_has_a_rule_and_an_id_that_the_journal_knows() -> None:
    by_type = {rule.type: rule for rule in TABLE}
    for kind, spec in EC2.items():
        assert by_type[kind].service == "ec2", kind
        assert by_type[kind].import_id.lower() == "{" + spec.id.lower() + "}", kind
        assert bool(spec.id_filter) is not bool(spec.id_parameter), kind
    assert set(RULE_DIRECTIONS) <= set(by_type)


def test_everything_of_ec2_without_a_name_is_described() -> None:
    anonymous = {rule.type for rule in TABLE if rule.service == "ec2" and rule.anonymous}
    assert anonymous == set(EC2) | set(RULE_DIRECTIONS)
