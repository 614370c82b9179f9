import pytest

from hofstadter.errors import RunFileError
from hofstadter.io.yaml_lines import read_yaml


def test_every_entry_knows_its_line():
    document = read_yaml("a: 1\nb:\n  c: [1/3,\n      2]\n", "f")
    assert document.data == {"a": 1, "b": {"c": ["1/3", 2]}}
    assert [document.line(path) for path in ((), ("a",), ("b", "c"), ("b", "c", 0), ("b", "c", 1))] == [
        1,
        1,
        3,
        3,
        4,
    ]
    assert document.line(("b", "missing", "deeper")) == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n\t- b", 2, "a tab where YAML allows spaces only"),
        ("a: 1\nb: [1, 2", 2, "expected ',' or ']'"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]", 2, "could not determine a constructor"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("&a [*a]", 1, "an alias contains itself"),
        ("- \x00", 1, "special characters"),
    ],
)
def test_what_is_not_yaml(text, line, words):
    with pytest.raises(RunFileError) as caught:
        read_yaml(text, "f.yaml")
    assert str(caught.value).startswith(f"f.yaml:{line}: This is not valid YAML: ")
    assert words in str(caught.value)


def test_keys_that_appear_twice_or_are_not_text():
    mistakes = read_yaml("a: 1\nb: {c: 1, c: 2}\n3: x\na: 2\n", "f").mistakes
    assert [(m.line, m.message) for m in mistakes] == [
        (2, "`b.c` is there twice, first on line 2."),
        (3, "A key must be text."),
        (4, "`a` is there twice, first on line 1."),
    ]
