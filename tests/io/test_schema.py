import jsonschema
import pytest
from ruamel.yaml import YAML

from hofstadter.io.schema import json_schema
from tests.io.test_config import CUSTOM, GOOD


@pytest.fixture(scope="module")
def validator():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("text", [GOOD, CUSTOM])
def test_good_run_files_follow_the_schema(validator, text):
    validator.validate(YAML(typ="safe").load(text))


@pytest.mark.parametrize(
    "change",
    [
        ("honeycomb", "honecomb"),
        ("t: 1.0", "tt: 1.0"),
        ("t: 1.0", "t: true"),
        ("max_denominator: 4", "max_denominators: 4"),
        ("max_denominator: 4", "fluxes: [0.5]"),
        ("[0.0, 0.1]", "[]"),
        ("model.t3", "modl.t3"),
        ("device: cpu", "device: tpu"),
        ("output:", "out:"),
    ],
)
def test_mistakes_do_not(validator, change):
    assert change[0] in GOOD
    assert not validator.is_valid(YAML(typ="safe").load(GOOD.replace(*change)))
