"""How pages travel: compressed, with one style sheet, and kept by the browser only where nothing is secret."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comptoir.web.themes import StaticFiles, Theme, load_theme

GZIP = {"Accept-Encoding": "gzip"}


def sheet_of(page: Any) -> str:
    links: list[str] = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page.text)
    assert len(links) == 1
    return links[0]


def test_a_page_travels_compressed(administrator: Any) -> None:
    plain = administrator.client.get("/base/contacts")
    packed = administrator.client.get("/base/contacts", headers=GZIP)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert "Contacts" in gzip.decompress(packed.data).decode()
    assert len(packed.data) * 3 < len(plain.data)


def test_whoever_does_not_understand_gzip_gets_plain_text(administrator: Any) -> None:
    answer = administrator.client.get("/base/contacts", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in answer.headers
    assert "Contacts" in answer.text


def test_an_export_is_compressed_as_it_streams(administrator: Any, make_contact: Any) -> None:
    make_contact("Mega Fruct SRL")
    answer = administrator.client.get("/base/contacts/export", headers=GZIP)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Mega Fruct SRL" in gzip.decompress(answer.data).decode()


def test_there_is_one_style_sheet_and_browsers_keep_it_for_ever(browser: Any) -> None:
    answer = browser.client.get(sheet_of(browser.get("/login")), headers=GZIP)
    assert answer.mimetype == "text/css"
    assert "immutable" in answer.headers["Cache-Control"]
    css = gzip.decompress(answer.data).decode()
    assert css.index("@layer reset") < css.index(".rail")


def test_every_file_that_the_style_sheet_names_is_there(browser: Any) -> None:
    address = sheet_of(browser.get("/login"))
    named = set(re.findall(r'url\("([^"]+)"\)', browser.get(address).text))
    assert named
    folder = address.rpartition("/")[0]
    assert {name: browser.client.get(f"{folder}/{name}", buffered=True).status_code for name in named} == dict.fromkeys(
        named, 200
    )


def test_a_script_travels_compressed_and_an_old_address_of_it_is_asked_for_again(browser: Any) -> None:
    folder = sheet_of(browser.get("/login")).rpartition("/")[0]
    script = browser.client.get(f"{folder}/js/forms.js", headers=GZIP)
    assert script.headers["Content-Encoding"] == "gzip"
    assert "immutable" in script.headers["Cache-Control"]
    old = browser.client.get("/static/0123456789ab/js/forms.js", buffered=True)
    assert old.headers["Cache-Control"] == "no-cache"


def test_a_file_that_is_not_there_is_not_found(browser: Any) -> None:
    assert browser.client.get("/static/0123456789ab/css/nothing.css", headers=GZIP).status_code == 404
    assert browser.client.get("/static/0123456789ab/../app.py", headers=GZIP).status_code == 404


def plugin(folder: Path, name: str, css: str) -> Any:
    (folder / name / "static").mkdir(parents=True)
    (folder / name / "static" / f"{name}.css").write_text(css)
    return SimpleNamespace(name=name, folder=folder / name)


def theme(folder: Path, css: str) -> Theme:
    (folder / "night" / "static").mkdir(parents=True)
    (folder / "night" / "static" / "night.css").write_text(css)
    return Theme("night", "Night", folder / "night", ("night.css",))


def test_a_theme_comes_after_the_modules_and_the_modules_after_the_core(tmp_path: Path) -> None:
    files = StaticFiles(theme(tmp_path, ".theirs {}"), [plugin(tmp_path, "shop", ".mine {}")])
    css = files.bundle.decode()
    assert css.index(".rail") < css.index(".mine") < css.index(".theirs")


def test_addresses_in_a_module_s_sheet_lead_where_they_led(tmp_path: Path) -> None:
    shop = plugin(
        tmp_path, "shop", '.a { background: url(img/a.svg) } .b { background: url("data:image/png;base64,x") }'
    )
    css = StaticFiles(load_theme("default"), [shop]).bundle.decode()
    assert 'url("plugins/shop/img/a.svg")' in css
    assert 'url("data:image/png;base64,x")' in css


def test_a_block_that_a_sheet_leaves_open_does_not_swallow_the_next_sheet(tmp_path: Path) -> None:
    shop = plugin(tmp_path, "shop", "@layer plugins { .mine { color: red; /* never closed")
    css = StaticFiles(theme(tmp_path, ".theirs {}"), [shop]).bundle.decode()
    before = css[: css.index(".theirs")]
    assert before.count("{") == before.count("}")
    assert "never closed" not in css


def test_an_import_of_a_theme_stands_where_browsers_read_imports(tmp_path: Path) -> None:
    css = StaticFiles(theme(tmp_path, "@import url(more.css);\n.theirs {}"), []).bundle.decode()
    assert css.startswith('@import url("themes/night/more.css");')


@pytest.mark.parametrize("path", ["/", "/base/contacts", "/base/contacts/new", "/search?q=ana"])
def test_the_way_back_to_an_ordinary_page_needs_no_new_one(administrator: Any, path: str) -> None:
    assert administrator.get(path).headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/login", "/account", "/account/sessions", "/settings/users", "/nowhere"])
def test_pages_with_secrets_and_errors_are_kept_by_nobody(administrator: Any, path: str) -> None:
    assert administrator.get(path).headers["Cache-Control"] == "no-store"


def test_a_form_s_token_never_looks_the_same_and_works(administrator: Any) -> None:
    administrator.get("/account")
    first = administrator.token
    administrator.get("/account")
    assert administrator.token != first
    administrator.token = first
    answer = administrator.post("/base/contacts/new", {"name": "Mega Fruct SRL", "kind": "company", "status": "new"})
    assert answer.status_code == 303


@pytest.mark.parametrize("token", ["", "x", "ă", "AAAA", "not a token at all"])
def test_a_token_that_is_none_is_refused(administrator: Any, token: str) -> None:
    administrator.token = token
    assert administrator.post("/base/contacts/new", {"name": "X"}).status_code == 403
