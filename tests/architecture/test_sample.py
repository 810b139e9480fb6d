"""`make quick`: a few tests, and no part of the project without one."""

import pytest
from tests.sample import CASES, FUNCTIONS, sample


def test_every_folder_is_in_it(request: pytest.FixtureRequest) -> None:
    """Of each folder whose tests are collected, the sample has some."""
    items = request.session.items
    assert {item.path.parent for item in sample(items)} == {item.path.parent for item in items}


def test_a_few_of_each_file(pytester: pytest.Pytester) -> None:
    """Of every file two functions are run, each with two of its cases; what is repeated to be sure is left out."""
    pytester.makeini("[pytest]\nmarkers = torture(few, many)\n")
    body = "import pytest\n@pytest.mark.torture(1, 2)\ndef test_0(): pass\n" + "".join(
        f"@pytest.mark.parametrize('case', range(5))\ndef test_{number}(case): pass\n" for number in range(1, 5)
    )
    pytester.makepyfile(test_one=body, test_two=body)
    result = pytester.runpytest_inprocess("--disable-plugin-autoload", "-p", "no:cacheprovider", "-p", "tests.sample")
    files, left = 2, FUNCTIONS - 1
    result.assert_outcomes(passed=files * left * CASES, deselected=files * (1 + 4 * 5 - left * CASES))
