"""The signature against headers that the vendor's own SDK made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mappings.erps.kingdee.signing import Signer, client_of, client_secret_of
from mappings.wire import Stamp
from tests.contract.erps.hands import SN
from tests.contract.erps.kingdee.talk import VECTOR, kingdee

MOMENT = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=VECTOR["timestamp_ms"])


def test_the_headers_are_those_of_the_vendor_s_sdk() -> None:
    given = VECTOR["input"]

    headers = Signer(given["app_id"], given["app_secret"], VECTOR["app_data"]).headers(given["url"], MOMENT)

    assert headers == VECTOR["headers"]


def test_the_client_and_its_secret_are_taken_out_of_the_app_id() -> None:
    app_id = VECTOR["input"]["app_id"]

    assert (client_of(app_id), client_secret_of(app_id)) == (VECTOR["client_id"], VECTOR["client_secret"])


def test_a_call_is_signed_at_the_moment_it_leaves_and_anew_at_each_try() -> None:
    call = next(kingdee().find(SN))

    first, second = (call.sealed(Stamp(MOMENT + timedelta(seconds=wait), "")) for wait in (0, 5))

    assert "X-Kd-Signature" not in call.headers
    assert first.headers["X-Kd-Signature"] == VECTOR["headers"]["X-Kd-Signature"]
    assert first.headers["x-api-timestamp"] == str(VECTOR["timestamp_ms"])
    assert second.headers["X-Api-Signature"] != first.headers["X-Api-Signature"]
    assert int(second.headers["x-api-nonce"]) - int(first.headers["x-api-nonce"]) == 5000


def test_secrets_stand_in_no_record() -> None:
    call = next(kingdee().find(SN))

    assert {VECTOR["input"]["app_id"], VECTOR["input"]["app_secret"]} <= set(call.secrets)
    assert VECTOR["input"]["app_secret"] not in f"{call.url}{call.body!r}{call.headers}"


@pytest.mark.parametrize("app_id", ["", "123456", "_abcd", "123456_", "123456_not base64!"])
def test_an_app_id_that_holds_no_secret_is_refused_at_the_start(app_id: str) -> None:
    with pytest.raises(ValueError, match="app ID"):
        kingdee(app_id=app_id)
