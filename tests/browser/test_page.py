"""The page in a real browser without network: whole, within its width, and usable by keyboard."""

import pytest

pytestmark = pytest.mark.slow

WIDTHS = (390, 1600)
# What sticks out of its section, and is not in a box that scrolls.
OVERFLOWS = """
[...document.querySelectorAll("main > section *")]
  .filter((element) => !element.closest(".scroll > *, svg, .contents") && element.checkVisibility())
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => [element.closest("section").id, element.tagName, element.textContent.slice(0, 40)])
"""
LOADED = """
[...document.querySelectorAll("main img")]
  .map((image) => [image.alt, image.complete && image.naturalWidth > 0])
"""
# Relative luminance and contrast of WCAG 2.2, over the nearest ground that is painted.
CONTRASTS = """
() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *:not(svg *):not(script)")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !element.checkVisibility()) continue;
    const [a, b] = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push([element.className, element.textContent.slice(0, 30), contrast]);
  }
  return faint;
}
"""


@pytest.fixture
def open_page(browser, address):
    """Return a function that opens the page; nothing may leave the machine, nothing may be complained of."""
    contexts, complaints, asked = [], [], []

    def opened(width: int = 1600, scheme: str = "light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows_with_everything_unfolded(open_page, width):
    page = open_page(width)
    page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert page.evaluate(OVERFLOWS) == []


def test_on_a_laptop_no_column_of_data_and_copies_hides(open_page):
    boxes = open_page(1200).locator("#data .columns.wide-last .scroll, #copies .columns .scroll")
    assert boxes.count() >= 3
    assert boxes.evaluate_all("(all) => all.every((box) => box.scrollWidth <= box.clientWidth + 1)")


def test_the_first_column_stays_in_sight_while_a_table_is_scrolled(open_page):
    page = open_page(390)
    box = page.locator("#summary .scroll").first
    name = box.locator("tbody th").first
    before = name.bounding_box()["x"]
    box.evaluate("(box) => { box.scrollLeft = 80; }")
    assert box.evaluate("(box) => box.scrollLeft") > 0
    assert name.bounding_box()["x"] == before


def test_every_figure_is_there_and_described(open_page):
    page = open_page()
    page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    images = page.evaluate(LOADED)
    assert len(images) > 10
    assert all(alt and is_loaded for alt, is_loaded in images)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_their_ground(open_page, scheme):
    page = open_page(scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    assert page.evaluate(CONTRASTS) == []


def test_the_keyboard_sorts_the_comparison(open_page):
    page = open_page()
    table = page.locator("#comparison table.sortable").first
    head = table.locator("thead th", has_text="Accuracy")
    column = head.evaluate("(head) => head.cellIndex")
    rows = "[...document.querySelector('#comparison table.sortable').tBodies[0].rows]"
    cells = f"{rows}.map((row) => Number(row.cells[{column}].dataset.value))"
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    values = page.evaluate(cells)
    assert len(values) == 8
    assert values == sorted(values)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.evaluate(cells) == sorted(values, reverse=True)
    table.locator("thead th", has_text="Model").locator("button").press("Enter")
    assert head.get_attribute("aria-sort") is None


def test_numbers_sort_as_numbers_whatever_stands_beside_them(open_page):
    page = open_page()
    table = page.locator("details.run[open] table.sortable").nth(1)
    for head in ("specificity", "recall"):
        button = table.locator("thead th", has_text=head).locator("button")
        button.click()
        column = button.evaluate("(button) => button.parentElement.cellIndex")
        shown = table.locator(f"tbody tr > :nth-child({column + 1}) .value").all_text_contents()
        values = [float(text.removesuffix(" %")) for text in shown]
        assert len(values) == 4
        assert values == sorted(values)


def test_the_gallery_is_filtered_by_class_answer_and_referral(open_page):
    page = open_page()
    gallery = page.locator("details.run[open] .gallery").first
    shots = gallery.locator("li")
    total = shots.count()
    assert total > 20
    told = gallery.locator("output")
    gallery.locator("select[name=right]").select_option("false")
    visible = gallery.locator("li:visible")
    assert 0 < visible.count() < total
    assert told.text_content() == f"{visible.count()} of {total} images"
    assert all("✗" in text for text in visible.all_text_contents())
    gallery.locator("select[name=truth]").select_option("glioma")
    assert all("true: glioma" in text for text in visible.all_text_contents())
    gallery.locator("select[name=right]").select_option("")
    gallery.locator("select[name=truth]").select_option("")
    gallery.locator("select[name=referred]").select_option("true")
    assert visible.count() and all("uncertain: refer" in text for text in visible.all_text_contents())
    gallery.locator("select[name=referred]").select_option("")
    assert visible.count() == total


def test_the_keyboard_enlarges_an_image_steps_on_and_comes_back(open_page):
    page = open_page()
    gallery = page.locator("details.run[open] .gallery").first
    gallery.locator("select[name=right]").select_option("false")
    buttons = gallery.locator("li:visible button.enlarge")
    count, dialog = buttons.count(), page.locator("dialog.zoom")
    buttons.nth(0).focus()
    page.keyboard.press("Enter")
    assert dialog.is_visible()
    assert dialog.locator(".place").text_content() == f"1 of {count}"
    assert "Probabilities:" in dialog.locator("#zoom-words").text_content()
    assert dialog.locator("img").bounding_box()["width"] > 300
    page.keyboard.press("ArrowRight")
    assert dialog.locator("img").get_attribute("alt") == buttons.nth(1).locator("img").get_attribute("alt")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert dialog.locator(".place").text_content() == f"{count} of {count}"
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    last = page.evaluate("document.activeElement.querySelector('img').alt")
    assert last == buttons.nth(count - 1).locator("img").get_attribute("alt")


def test_figures_open_larger_and_the_mouse_closes_them(open_page):
    page = open_page()
    figure = page.locator("details.run[open] .run-figures button.enlarge").nth(2)
    figure.click()
    dialog = page.locator("dialog.zoom")
    assert "ROC" in dialog.locator("img").get_attribute("alt")
    assert dialog.locator(".place").text_content().endswith(" of 8")
    dialog.locator("[data-close]").click()
    assert not dialog.is_visible()


def test_every_section_of_the_contents_is_there(open_page):
    page = open_page()
    targets = page.locator("nav.contents a").evaluate_all("(links) => links.map((link) => link.hash)")
    assert {"#summary", "#data", "#copies", "#splits", "#models", "#comparison"} <= set(targets)
    assert all(page.locator(target).count() == 1 for target in targets)
    for words in ("All trainings", "With leak and without", "Models against each other"):
        assert page.locator("#comparison", has_text=words).count() == 1, words
    # Every training is explained, and says how far that can be believed.
    assert page.locator("details.run").filter(has_text="Where it looks").count() == 8


def test_the_first_stop_of_the_keyboard_skips_to_the_summary(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the summary"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#summary"


def test_a_link_to_a_folded_training_unfolds_it(open_page):
    page = open_page()
    folded = page.locator("details.run:not([open])").last
    name = folded.get_attribute("id")
    page.locator(f"#comparison table.sortable a[href='#{name}']").click()
    page.wait_for_function("(name) => document.getElementById(name).open", arg=name)


def test_the_tables_are_complete_without_scripts(browser, address):
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(address)
    assert page.locator("#comparison table.sortable").first.locator("tbody tr").count() == 8
    assert not page.locator(".tools").is_visible()
    assert page.locator("details.run[open] .gallery li").count() > 20
    assert not page.locator("details.run[open] .filters").is_visible()
    assert not page.locator("dialog.zoom").is_visible()
    context.close()


def test_the_paper_has_what_the_screen_folds(open_page, tmp_path):
    page = open_page()
    content = page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    assert content.startswith(b"%PDF")
    # Each figure is an image of its own on paper; the vector figures are drawn.
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") >= 8
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 690, "height": 1000})  # what an A4 page leaves between its margins
    assert page.evaluate(OVERFLOWS) == []
    assert not page.locator("nav.contents").is_visible()
