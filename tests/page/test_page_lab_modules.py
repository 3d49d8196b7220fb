"""The lab's pure modules, one by one: axes, lines of equal height, places of a computation, the address, CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, visiting
from tests.support.lab_wire import KINDS, figure


@pytest.fixture(scope="module")
def opened(browser: Browser, server_url: str) -> Iterator[Visit]:
    with visiting(browser, server_url) as visit:
        visit.page.goto(f"{visit.root}/methods")
        yield visit


def run(visit: Visit, module: str, body: str, *values: Any) -> Any:
    """The value of an expression over what a module exports (`m`) and `values`."""
    script = f"async values => {{ const m = await import('/static/js/lab/{module}.js'); return {body}; }}"
    return visit.page.evaluate(script, list(values))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-2, 7, ["−2", "0", "2", "4", "6", "8"]),
        (3, 3, ["0", "2", "4", "6"]),
        (0, 0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_linear_ticks_are_round(opened: Visit, low: float, high: float, ticks: list[str]) -> None:
    assert run(opened, "scale", "m.linearScale(...values).ticks.map(tick => tick.text)", low, high) == ticks


def test_a_tight_axis_ends_at_its_values(opened: Visit) -> None:
    found = run(
        opened, "scale", "(s => [s.low, s.high, s.at(1), s.at(50), s.from(0.5)])(m.linearScale(1, 50, {tight: true}))"
    )
    assert found == [1, 50, 0, 1, 25.5]


def test_a_logarithmic_axis_has_whole_powers_and_no_place_for_zero(opened: Visit) -> None:
    body = """(s => [s.ticks.map(tick => tick.text), s.at(0), s.at(-1), s.at(null), s.at(1e-8), s.at(1)])
      (m.logScale(1e-8, 1))"""
    ticks, zero, negative, none, first, last = run(opened, "scale", body)
    assert ticks == ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]
    assert (zero, negative, none) == (None, None, None)
    assert (first, last) == (pytest.approx(0), pytest.approx(1))


def test_an_axis_of_nothing_finite_is_there_all_the_same(opened: Visit) -> None:
    for log in ("true", "false"):
        assert run(opened, "scale", f"m.scaleOf([null, NaN, Infinity], {{log: {log}}}).ticks.length") > 0


def test_an_axis_that_begins_near_zero_begins_at_it(opened: Visit) -> None:
    assert run(opened, "scale", "m.scaleOf([1, 10]).low") == 0
    assert run(opened, "scale", "m.scaleOf([9, 10]).low") > 0


def test_what_is_below_the_least_has_no_place(opened: Visit) -> None:
    body = "(s => [s.low, s.high, s.at(1e-20), s.at(1e-6), s.at(1)])(m.scaleOf([1e-300, 1], {log: true, least: 1e-12}))"
    low, high, below, middle, top = run(opened, "scale", body)
    assert (low, high) == (pytest.approx(1e-12), pytest.approx(1))
    assert below is None
    assert (middle, top) == (pytest.approx(0.5), pytest.approx(1))


@pytest.mark.parametrize(("low", "high"), [(1, 8), (10, 120), (0.3, 1.9), (1, 2), (-3, 6)])
def test_a_tight_axis_has_two_ticks_at_least(opened: Visit, low: float, high: float) -> None:
    ticks = run(opened, "scale", "m.linearScale(...values, {tight: true, count: 3}).ticks", low, high)
    assert len(ticks) >= 2
    assert all(low <= tick["value"] <= high for tick in ticks)


def test_ten_series_are_told_apart(opened: Visit) -> None:
    classes = run(opened, "plot", "Array.from({length: 16}, (_, place) => m.seriesClass(place))")
    assert len(set(classes)) == 16


def test_a_space_after_a_chinese_word_stays(opened: Visit) -> None:
    assert run(opened, "text-size", "m.linesOf('步长 h', 500, 1)") == ["步长 h"]
    assert run(opened, "text-size", "m.linesOf('误差 / 方差', 500, 1)") == ["误差 / 方差"]


def test_names_below_bars_stand_aslant_where_they_have_no_room(opened: Visit) -> None:
    names = ["momentum", "Nesterov", "Adadelta"]
    wide, narrow = (run(opened, "plot", "m.slantOf(...values)", names, pixels) for pixels in (900, 120))
    assert wide == 0
    assert narrow > 40


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.6771, 0.718, 0], ["0.6771", "0.7180", "0.0000"]),
        ([-0.0029, 0.0107], ["−0.0029", "0.0107"]),
        ([0.01778, 31.62, 1], ["0.01778", "31.62", "1"]),
        ([3, None, 70], ["3", "–", "70"]),
        ([1e-12, 0.5], ["10⁻¹²", "0.5"]),
    ],
)
def test_a_column_has_as_many_decimals_in_each_row(opened: Visit, values: list[Any], texts: list[str]) -> None:
    rows = run(opened, "table", "m.tableTexts({columns: ['x'], rows: values})", *([value] for value in values))
    assert [row[0] for row in rows[1:]] == texts


@pytest.mark.parametrize(
    ("value", "text"), [(1e-4, "10⁻⁴"), (0.99995, "0.99995"), (1 + 1e-9, "1"), (2.5e-7, "2.5×10⁻⁷"), (-1e-6, "−10⁻⁶")]
)
def test_numbers_of_a_sentence(opened: Visit, value: float, text: str) -> None:
    assert run(opened, "words", "m.valueText(values[0])", value) == text


@pytest.mark.parametrize(
    ("low", "high", "ends"), [(0.003, 0.997, [0, 1]), (0, 199, [0, 200]), (1, 50, [1, 50]), (0.03, 0.97, [0.03, 0.97])]
)
def test_an_axis_of_lines_ends_at_a_tick_that_is_very_near(
    opened: Visit, low: float, high: float, ends: list[float]
) -> None:
    body = "(s => [s.low, s.high])(m.linearScale(...values, { tight: true, rounds: true, count: 10 }))"
    assert run(opened, "scale", body, low, high) == ends


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.4, 1.5, ["0.5", "0.7", "1", "1.5"]),
        (0.84, 1.24, ["0.9", "1", "1.2"]),
        (1.01, 1.03, ["0.5", "1", "2"]),  # of nearly nothing it shows more than that
        (0.005, 0.05, ["0.005", "0.01", "0.02", "0.05"]),
        (1e-5, 3e-5, ["1×10⁻⁵", "1.5×10⁻⁵", "2×10⁻⁵", "3×10⁻⁵"]),
    ],
)
def test_a_short_logarithmic_axis_has_three_ticks_at_least(
    opened: Visit, low: float, high: float, ticks: list[str]
) -> None:
    assert run(opened, "scale", "m.logScale(...values).ticks.map(tick => tick.text)", low, high) == ticks


def test_labels_along_an_axis_are_left_out_at_equal_distances(opened: Visit) -> None:
    labels = [{"left": 30 * place, "half": 14 + place, "text": str(place)} for place in range(10)]
    assert run(opened, "plot", "m.sparse(values).map(label => label.text)", *labels) == ["0", "2", "4", "6", "8"]
    wide = [{**label, "half": 400} for label in labels]
    assert run(opened, "plot", "m.sparse(values).map(label => label.text)", *wide) == ["0"]
    assert run(opened, "plot", "m.sparse([])") == []


@pytest.mark.parametrize("text", ["步 k", "谱半径的 T − k 次方", "第 k 步之后 10 % 的值", "step t of the loss"])
def test_a_line_keeps_the_spaces_of_its_text(opened: Visit, text: str) -> None:
    assert run(opened, "text-size", "m.linesOf(values[0], 1000)", text) == [text]
    assert "".join(run(opened, "text-size", "m.linesOf(values[0], 40, 9)", text)).replace(" ", "") == text.replace(
        " ", ""
    )


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_lowest_bar_can_be_seen(opened: Visit, scale: str) -> None:
    data = KINDS["bars"] | {"y": {"id": "share", "title": "share", "scale": scale},
                            "series": [{"id": "sum", "title": "sum", "x": [0, 1], "y": [0.05, 0.005]}]}  # fmt: skip
    body = "[...m.drawBars(values[0], 500).root.querySelectorAll('rect.bar')].map(bar => +bar.getAttribute('height'))"
    high, low = run(opened, "bars", body, data)
    assert high > low > 10


def test_axes_of_bars_and_histograms_have_names(opened: Visit) -> None:
    titles = "[...m[values[1]](values[0], 500).root.querySelectorAll('text.axis')].map(text => text.textContent)"
    x = {"id": "steps", "title": "steps", "scale": "linear"}
    assert run(opened, "bars", titles, KINDS["bars"] | {"x": x}, "drawBars") == ["steps", "share"]
    assert run(opened, "bars", titles, KINDS["bars"], "drawBars") == ["share"]
    counted = KINDS["histogram"] | {"y": {"id": "n", "title": "how many", "scale": "log"}}
    assert run(opened, "bars", titles, counted, "drawHistogram") == ["weight", "how many"]


def test_a_derivative_is_not_broken(opened: Visit) -> None:
    body = "m.indexed(values[0]).filter(node => node.className === 'whole').map(node => node.innerHTML)"
    text = "‖∂s_T/∂s_k‖ and φ′(z), but 1/2 and a (b)"
    assert run(opened, "indexed", body, text) == ["‖∂s<sub>T</sub>/∂s<sub>k</sub>‖", "φ′(z)"]


def test_lines_of_equal_height_lie_where_the_height_is(opened: Visit) -> None:
    """On a cone every point of the line has the same distance from the middle, up to the size of a cell."""
    side, radius = 21, 6.3
    values = [[math.hypot(x - 10, y - 10) for x in range(side)] for y in range(side)]
    pieces = run(opened, "isolines", "m.isoline(values[0], values[1])", values, radius)
    assert len(pieces) > 20
    for x1, y1, x2, y2 in pieces:
        assert math.hypot(x1 - 10, y1 - 10) == pytest.approx(radius, abs=0.1)
        assert math.hypot(x2 - 10, y2 - 10) == pytest.approx(radius, abs=0.1)
    ends = [(round(x, 6), round(y, 6)) for x1, y1, x2, y2 in pieces for x, y in ((x1, y1), (x2, y2))]
    assert all(ends.count(end) == 2 for end in ends), "the line is closed"


def test_no_line_through_what_is_not_finite(opened: Visit) -> None:
    assert run(opened, "isolines", "m.isoline([[0, 1], [null, 1]], 0.5)") == []


def test_a_long_edge_has_its_own_place_beside_the_nodes_between(opened: Visit) -> None:
    nodes = KINDS["graph"]["nodes"]
    body = """(found => [['a', 'm', 's'].map(found.placeOf), found.between('a', 's'), found.columns, found.rows])
      (m.layOut(values))"""
    places, between, columns, rows = run(opened, "graph-layout", body, *nodes)
    assert [place["column"] for place in places] == [0, 1, 2]
    assert (columns, rows) == (3, 2)
    assert len(between) == 1
    assert between[0]["column"] == 1
    assert abs(between[0]["row"] - places[1]["row"]) >= 1


def test_no_two_nodes_share_a_place(opened: Visit) -> None:
    """Of a network with four inputs, four units and one output."""
    nodes = [{"id": f"x{i}", "title": "x"} for i in range(4)]
    nodes += [{"id": f"h{i}", "title": "h", "inputs": [f"x{j}" for j in range(4)]} for i in range(4)]  # type: ignore[dict-item]
    nodes += [{"id": "y", "title": "y", "inputs": [f"h{i}" for i in range(4)] + ["x0"]}]  # type: ignore[dict-item]
    ids = [node["id"] for node in nodes]
    places = run(opened, "graph-layout", "(found => values[1].map(found.placeOf))(m.layOut(values[0]))", nodes, ids)
    assert len({(place["column"], place["row"]) for place in places}) == len(nodes)
    assert all(0 <= place["row"] <= 4 for place in places)


DECLARED = [
    {"name": "length", "kind": "number", "initial": 50, "choices": []},
    {"name": "cell", "kind": "choice", "initial": "tanh", "choices": ["tanh", "gru"]},
    {"name": "clip", "kind": "number", "initial": 1.0, "choices": [], "optional": True},
    {"name": "grid", "kind": "grid", "initial": [[1]], "choices": []},
    {"name": "formula", "kind": "text", "initial": "x", "choices": []},
    {"name": "upstream", "kind": "grid", "initial": [], "choices": [], "follows": ["grid"]},
]


def test_settings_come_back_from_the_address(opened: Visit) -> None:
    settings = {
        "length": 7,
        "cell": "gru",
        "clip": None,
        "grid": [[1, -2.5]],
        "formula": "a&b = 1e3",
        "upstream": [[0.5]],
    }
    body = """(query => [query, m.readAddress(query, values[0])])
      (m.writeAddress('?lang=zh', values[0], { values: values[1], seed: 3 }))"""
    query, found = run(opened, "address", body, DECLARED, settings)
    assert query.startswith("?lang=zh&")
    assert found == {"values": settings, "seed": 3}


def test_defaults_leave_the_address_empty_and_nonsense_means_them(opened: Visit) -> None:
    initial = {each["name"]: each["initial"] for each in DECLARED}
    body = (
        "[m.writeAddress('?length=3', values[0], { values: values[1], seed: 0 }), m.readAddress(values[2], values[0])]"
    )
    query, found = run(opened, "address", body, DECLARED, initial, "?length={&cell=none&seed=-1")
    assert query == ""
    assert found == {"values": initial, "seed": 0}


def test_a_grid_of_sixteen_by_sixteen_goes_through_the_address(opened: Visit) -> None:
    grid = [[round(math.sin(16 * y + x), 4) for x in range(16)] for y in range(16)]
    body = """(query => [query.length, m.readAddress(query, values[0]).values.grid])
      (m.writeAddress('', values[0], { values: { ...values[1], grid: values[2] }, seed: 0 }))"""
    initial = {each["name"]: each["initial"] for each in DECLARED}
    length, found = run(opened, "address", body, DECLARED, initial, grid)
    assert found == grid
    assert length < 8000


@pytest.mark.parametrize("text", ["5", "[1, 2]", "[[1], [1, 2]]", '[["x"]]', "[[null]]", "[[]]", "[]", '{"0": [1]}'])
def test_what_is_no_grid_in_an_address_means_the_default(opened: Visit, text: str) -> None:
    body = "m.readAddress('?grid=' + encodeURIComponent(values[1]), values[0]).values.grid"
    assert run(opened, "address", body, DECLARED, text) == [[1]]


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("bars", ["label,sum,mean", "one,0.25,0.5", "two,-0.75,0.5"]),
        ("histogram", ["from,to,count", "0,1,3", "1,2,5", "2,4,2"]),
        ("matrix", [",c,d", "a,1,-2.5", "b,,4"]),
        ("heatmap", ["t\\k,0,1,2", "0,1,,3", "1,-4,5,6"]),
        ("contour", ["series,x,y", "sgd,0,4", "sgd,1,3", "sgd,2,2"]),
        (
            "grids",
            [
                "grid,row,column,value",
                "left,0,0,1",
                "left,0,1,2",
                "left,1,0,3",
                "left,1,1,4",
                "total,0,0,1",
                "total,0,1,5",
                "total,1,0,0",
                "total,1,1,-2",
            ],
        ),
        ("table", ["name,value", "x,-4", "y,"]),
        ("graph", ["node,value,gradient,inputs,shares", "a,3,7,,", "×,9,1,a a,3 3", "+,12,1,m a,1 1"]),
    ],
)
def test_numbers_of_a_figure_as_csv(opened: Visit, kind: str, lines: list[str]) -> None:
    assert run(opened, "save", "m.csvText(values[0])", figure(kind)).split("\r\n") == [*lines, ""]


def test_csv_quotes_what_needs_it(opened: Visit) -> None:
    body = figure("table", {"columns": ['a "b"', "c,d"], "rows": [["x\ny", 1]]})
    assert run(opened, "save", "m.csvText(values[0])", body) == '"a ""b""","c,d"\r\n"x\ny",1\r\n'


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("∂s_T/∂s_k", "∂sT/∂sk"),
        ("a_long name", "a_long name"),
        ("W_k and W_1", "Wk and W1"),
        ("snake_case_x", "snake_case_x"),
    ],
)
def test_indices_are_letters_and_no_names(opened: Visit, text: str, pieces: str) -> None:
    assert run(opened, "indexed", "m.plain(values[0])", text) == pieces


def test_labels_keep_apart_and_within_the_plot(opened: Visit) -> None:
    labels = [{"y": 50, "height": 15}, {"y": 51, "height": 15}, {"y": 99, "height": 15}]
    first, second, third = run(opened, "plot", "m.spread(values, 0, 100)", *labels)
    assert second - first >= 15
    assert third <= 100 - 7.5
    assert third - second >= 15
