"""What the page shows of books in which nothing fits (issue C, 7), and the names of strangers."""

from __future__ import annotations

import pytest

from tests import chromium_rig
from tests.chromium_rig import Browser, pages
from tests.dashboard_rig import Served
from tests.office_rig import Terminal, enrol, made_office, take
from tests.test_dashboard_api import filled

pytestmark = pytest.mark.skipif(
    chromium_rig.missing() is not None, reason=str(chromium_rig.missing())
)


@pytest.fixture
def opened():
    with Browser() as browser, pages(browser) as open_page:
        yield open_page


def test_gaps_duplicates_forks_and_the_rest_are_in_front_of_the_reader(tmp_path, opened):
    filled(tmp_path).close()
    with Served(tmp_path / "office") as served:
        page = opened(f"{served.url}/#/")
        tiles = [page.text(f"#{name}") for name in ("units", "done", "paid", "gaps", "duplicates")]
        assert tiles == ["3", "3", "25.05", "✗ 1", "✗ 1"]
        one, two, three = page.table(1)
        assert (one[0], one[3], one[4]) == ("unit-1", "✗ 2", "1.2.3")
        assert one[6].startswith("✗ 分叉 forked")
        assert two[6] == "✓"
        assert three[6].startswith("✗ 已停用 revoked 2026-11-22")
        page = opened(f"{served.url}/#/findings")
        shown = {
            name: page.text(f"#{name} h2")
            for name in ("gaps", "duplicates", "forks", "quarantined", "late", "uncertain")
        }
        mild = ("late", "uncertain")
        assert all(t.endswith("! 1" if n in mild else "✗ 1") for n, t in shown.items()), shown
        assert page.table(0) == [["unit-1", "5", "6"]]
        assert page.table(1) == [["unit-1", "4", "unit-2", "2"]]
        page.value("document.querySelector('#duplicates tbody a[href*=record]').click()")
        page.wait("document.querySelector('main').dataset.ready === 'record'")
        assert page.text("#verdict").startswith("✓")
        page = opened(f"{served.url}/#/record/unit-3/1")
        assert "不在账内" in page.text("main")


def test_a_name_full_of_markup_is_text(tmp_path, opened):
    """Unit, order number and detail come from outside: nothing of them is run or laid out."""
    name = "<img src=x onerror=alert(1)>/%2F&#39;"
    office, terminal = made_office(tmp_path), Terminal(name)
    enrol(office, terminal)
    terminal.purchase("</script><b id=injected>")
    take(office, name, terminal.batch())
    office.close()
    with Served(tmp_path / "office") as served:
        page = opened(f"{served.url}/#/terminals")
        assert page.table()[0][0] == name
        for view, link in (
            ("unit", "main tbody a"),
            ("batch", "main tbody a"),
            ("record", "main tbody a"),
        ):
            page.value(f"document.querySelector({link!r}).click()")
            page.wait(f"document.querySelector('main').dataset.ready === {view!r}")
            assert name in page.text("main")
            assert page.value("document.querySelectorAll('main img, #injected').length") == 0
        assert page.text("#verdict").startswith("✓")
