"""Every figure that the specification prints is reproduced, or the difference has a reason."""

import pytest

from helpers.paths import ROOT
from research.cost.comparison import comparisons, page
from research.cost.printed import DIFFERS, PRINTED, Printed

FOUND = comparisons()


@pytest.mark.parametrize("key", PRINTED)
def test_printed_figure_is_reproduced_or_explained(key: str) -> None:
    found = FOUND[key]
    assert found.printed.text == PRINTED[key].text
    if key in DIFFERS:
        assert not found.agrees
        assert found.reason == DIFFERS[key]
    else:
        assert found.agrees, f"{found.exact} is not printed as {found.printed.text}"


def test_printed_figures_are_parsed_with_their_precision() -> None:
    assert (Printed("5,846M").value, Printed("5,846M").quantum) == (5.846e9, 1e6)
    assert (Printed("~0.56M").value, Printed("~0.56M").quantum) == (0.56e6, 0.01e6)
    assert (Printed("-67%").value, Printed("-67%").quantum) == (-67, 1)
    assert (Printed("+3.4x").value, Printed("+3.4x").quantum) == (3.4, 0.1)
    assert Printed("733K").agrees_with(733_440)
    assert not Printed("733K").agrees_with(733_501)
    with pytest.raises(ValueError, match="'many'"):
        _ = Printed("many").value


def test_reasons_hold_in_the_specifications_own_rounded_arithmetic() -> None:
    assert PRINTED["9/total"].value == 22_000_000 + 558_145
    shared = 24.9 + 0.16 + 0.16
    assert f"{shared:.2f}G" == PRINTED["10.1/total"].text
    assert f"{25.22 + 1.70:.2f}G" == PRINTED["10.4/dense_total"].text
    assert f"{25.22 + 5.846:.2f}G" == PRINTED["10.5/dense_total_v15_1"].text
    assert f"{1700 / 0.73:,.0f}" == PRINTED["10.4/break_even"].text
    for k in (256, 512, 1024, 2329):
        assert PRINTED[f"10.4/{k}.local"].agrees_with(k * 0.73e6)
    for k in (64, 128, 256, 512, 1024, 2329):
        assert PRINTED[f"10.4/{k}.total"].agrees_with(25.22e9 + k * 0.73e6)
        assert PRINTED[f"10.4/{k}.share"].agrees_with(100 * (25.22e3 + k * 0.73) / 26.92e3)
    assert PRINTED["10.6/kv_maps"].agrees_with(FOUND["10.6/kv_maps"].exact / 2)  # one image of two
    # Float32 weights and gradients beside the two moments: 16 bytes a parameter instead of 8.
    assert PRINTED["10.6/optimiser"].agrees_with(2 * FOUND["10.6/optimiser"].exact)


def test_page_contains_the_table_of_the_command() -> None:
    text = (ROOT / "research" / "cost.md").read_text(encoding="utf-8")
    assert page() in text, "paste the output of python -m research.cost again"
