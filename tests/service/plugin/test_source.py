"""The file itself: it runs on the PHP of old shops, meets none of their names, and says what its document says."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.shops.ecshop_read import names
from tests.service.plugin.php import PLUGIN, PhpShop, php_server
from tests.service.plugin.test_equal_tables import SCENES, SETTINGS
from tests.service.shop.yard import Yard, ship
from tests.services import need_php

_TOKENS = """
echo json_encode(array_map(function ($token) {
    return is_array($token) ? [token_name($token[0]), $token[1], $token[2]] : ['', $token, 0];
}, token_get_all(file_get_contents($argv[1]))));
"""
NEWER_TOKENS = {
    *("T_COALESCE", "T_COALESCE_EQUAL", "T_SPACESHIP", "T_POW", "T_POW_EQUAL", "T_ELLIPSIS", "T_FINALLY", "T_YIELD"),
    *("T_YIELD_FROM", "T_TRAIT", "T_INSTEADOF", "T_CALLABLE", "T_FN", "T_MATCH", "T_ATTRIBUTE", "T_ENUM"),
    *("T_READONLY", "T_NULLSAFE_OBJECT_OPERATOR", "T_NAME_QUALIFIED", "T_NAME_FULLY_QUALIFIED", "T_NAMESPACE", "T_USE"),
}
"""What PHP 5.3 cannot read; closures and namespaces it can, but neither is needed."""
REMOVED = {
    "each",
    "create_function",
    "split",
    "ereg",
    "eregi",
    "money_format",
    "utf8_encode",
    "utf8_decode",
    "strftime",
}
IN_EVERY_PHP = set(
    names("""
    abs addcslashes array_chunk array_diff array_filter array_keys array_map array_merge array_push array_reverse
    array_shift array_slice array_unique array_values base64_decode basename call_user_func count ctype_digit current
    date date_default_timezone_set define defined dirname end error_log error_reporting explode fclose file_exists
    file_get_contents file_put_contents filemtime floor fopen function_exists get_class gmdate hash hash_hmac header
    header_remove headers_sent htmlspecialchars ignore_user_abort implode in_array inet_pton ini_set is_array is_bool
    is_dir is_file is_int is_string json_decode json_encode max min mkdir number_format ob_end_clean ob_get_level
    ob_start ord pow preg_match preg_match_all preg_replace preg_split rawurlencode register_shutdown_function reset
    scandir set_error_handler sort sprintf str_repeat str_replace str_split strcmp stripos strlen strpos strtok
    strtolower strtoupper substr time touch trim unlink urldecode usort
    """)
)
"""Functions of PHP 5.3 that 8 still has."""
ASKED_FOR_FIRST = {
    "hash_equals",
    "send_order_bonus",
    "clear_cache_files",
    "order_info",
    "get_mail_template",
    "local_date",
}
ASKED_FOR_FIRST |= {"send_mail", "mysqli_init", "mysqli_report"}
"""Called only where function_exists says so."""

Token = tuple[str, str, int]


@pytest.fixture(scope="module")
def tokens() -> list[Token]:
    """All but spaces and comments."""
    run = subprocess.run([need_php(), "-r", _TOKENS, str(PLUGIN)], capture_output=True, timeout=60, check=True)
    found = [(name, text, line) for name, text, line in json.loads(run.stdout)]
    return [token for token in found if token[0] not in ("T_WHITESPACE", "T_COMMENT", "T_DOC_COMMENT")]


def _at(tokens: list[Token], is_bad: Any) -> list[str]:
    """Where, by the last line known and the text around."""
    return [
        " ".join(text for _, text, _ in tokens[max(0, i - 4) : i + 4])
        for i in range(1, len(tokens) - 1)
        if is_bad(tokens[i - 1], tokens[i], tokens[i + 1])
    ]


def test_php_reads_the_file() -> None:
    run = subprocess.run([need_php(), "-l", str(PLUGIN)], capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout


def test_no_word_is_newer_than_php_5_3(tokens: list[Token]) -> None:
    assert [token for token in tokens if token[0] in NEWER_TOKENS] == []


def test_arrays_are_written_in_the_old_way(tokens: list[Token]) -> None:
    """A bracket opens an index of a variable or of another index; never an array, nor what a call gave."""

    def is_bad(before: Token, here: Token, _after: Token) -> bool:
        return here[1] == "[" and before[0] not in ("T_VARIABLE", "T_STRING") and before[1] not in ("]", "}")

    assert _at(tokens, is_bad) == []


def test_no_type_is_declared_but_arrays_and_classes(tokens: list[Token]) -> None:
    scalars = {"int", "string", "bool", "float", "iterable", "object", "mixed", "void", "callable", "self"}

    def is_bad(before: Token, here: Token, after: Token) -> bool:
        return here[1] in scalars and after[0] == "T_VARIABLE" and before[1] in ("(", ",", "?")

    assert _at(tokens, is_bad) == []
    starts = [i for i, token in enumerate(tokens) if token[0] == "T_FUNCTION"]
    assert len(starts) > 100
    for start in starts:
        rest = [text for _, text, _ in tokens[start:]]
        assert rest[rest.index("{") - 1] == ")", rest[1]


def test_constants_are_single_values(tokens: list[Token]) -> None:
    """Expressions and arrays came with PHP 5.6."""
    starts = [i for i, token in enumerate(tokens) if token[0] == "T_CONST"]
    assert len(starts) > 5
    for start in starts:
        assert [text for _, text, _ in tokens[start + 2 : start + 5 : 2]] == ["=", ";"], tokens[start + 1]


def test_no_class_is_named_by_its_constant_and_nothing_is_emptied_but_variables(tokens: list[Token]) -> None:
    assert _at(tokens, lambda before, here, _: before[1] == "::" and here[0] == "T_CLASS") == []
    assert _at(tokens, lambda before, here, after: before[0] == "T_EMPTY" and after[0] != "T_VARIABLE") == []
    assert _at(tokens, lambda before, here, after: before[1] == "(" and here[0] == "T_NEW") == []


def _calls(tokens: list[Token]) -> Iterator[str]:
    for before, here, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        is_function = here[0] == "T_STRING" and after[1] == "("
        if is_function and before[0] not in ("T_OBJECT_OPERATOR", "T_DOUBLE_COLON", "T_FUNCTION", "T_NEW"):
            yield here[1]


def test_only_functions_that_every_php_has_are_called(tokens: list[Token]) -> None:
    called = set(_calls(tokens))
    assert called & REMOVED == set()
    assert {name for name in called - ASKED_FOR_FIRST - IN_EVERY_PHP if not name.startswith("mysql_")} == set()
    source = PLUGIN.read_text()
    for name in ("hash_equals", "send_order_bonus", "clear_cache_files", "mysqli_init"):
        assert f"function_exists('{name}')" in source


def test_no_name_can_meet_one_of_the_shop(tokens: list[Token]) -> None:
    classes = [after[1] for here, after in itertools.pairwise(tokens) if here[0] == "T_CLASS"]
    assert len(classes) > 10
    assert [name for name in classes if not name.startswith("Ecsync")] == []
    depth, loose = 0, set()
    for before, (name, word, _) in itertools.pairwise(tokens):
        depth += (word in ("{", "${") or name == "T_CURLY_OPEN") - (word == "}")
        if depth == 0 and name == "T_VARIABLE" and not word.startswith("$ecsync_"):
            loose.add((before[1], word))
        assert not (depth == 0 and name == "T_FUNCTION"), "a function outside of a class"
    assert {word for _, word in loose} == set()


def test_a_value_becomes_sql_in_one_place(tokens: list[Token]) -> None:
    source = PLUGIN.read_text()
    assert len(re.findall(r"->real_escape_string\(", source)) == 1
    assert len(re.findall(r"mysql_real_escape_string\(", source)) == 1
    assert len(re.findall(r"->query\(", source)) == 1
    assert "$_GET" not in source.replace("PHP's own $_GET", "")
    assert not re.search(r"\$_(POST|REQUEST|COOKIE)\b", source)


@pytest.fixture(scope="module")
def old_php(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpShop]:
    """A PHP without mysqli_init, as PHP 5 was often built."""
    shim = Path(__file__).parent / "old_mysql.php"
    options = ("-d", "disable_functions=mysqli_init,hash_equals", "-d", f"auto_prepend_file={shim}")
    with php_server(tmp_path_factory.mktemp("old") / "shop", *options) as shop:
        yield shop


@pytest.mark.parametrize("scene", ["a product and a gift", "a package", "a member", "odd characters"])
def test_the_old_mysql_functions_serve_as_well(mariadb_yard: Yard, old_php: PhpShop, scene: str) -> None:
    old_php.is_set()
    old_php.serves(mariadb_yard.url)
    (parcel,) = SCENES[scene](mariadb_yard)
    fresh = mariadb_yard.keep()
    ship(mariadb_yard.shop(**SETTINGS), parcel)
    by_sql = mariadb_yard.dump()
    mariadb_yard.restore(fresh)
    old_php.caller.ship(parcel, times=2)
    assert mariadb_yard.dump() == by_sql
    assert old_php.complaints() == []


def test_the_old_functions_report_a_lost_database_too(mariadb_yard: Yard, old_php: PhpShop) -> None:
    old_php.is_set()
    old_php.serves("mysql://root:x@127.0.0.1:9/nowhere")
    status, answer = old_php.caller.get("orders")
    assert (status, answer["error"]["code"]) == (503, "database_away")
