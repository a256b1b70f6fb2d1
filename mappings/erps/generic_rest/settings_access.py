"""The settings of a generic REST ERP that say where it is and how it lets us in."""

from __future__ import annotations

from mappings.connector import Setting
from mappings.parsing import one_of, parse_address, parse_credential, parse_user
from mappings.wire import parse_base_url


def parse_token(text: str) -> str:
    """A bearer token: visible ASCII, as RFC 6750 has it. Raises ValueError; the message never shows it."""
    token = parse_credential(text)
    if not token.isascii() or " " in token:
        raise ValueError("A bearer token is one word of ASCII letters, digits and signs")
    return token


ACCESS_SETTINGS = (
    Setting("base_url", "Address of the ERP", "ERP 地址", required=True, parse=parse_base_url),
    Setting(
        "auth",
        "bearer, basic or oauth2 (client credentials)",
        "认证方式：bearer、basic 或 oauth2（客户端凭证）",
        default="bearer",
        parse=one_of("bearer", "basic", "oauth2"),
    ),
    Setting("token", "Bearer token", "Bearer 令牌", default="", secret=True, parse=parse_token),
    Setting("username", "User name (basic)", "用户名（basic）", default="", parse=parse_user),
    Setting("password", "Password (basic)", "密码（basic）", default="", secret=True, parse=parse_credential),
    Setting(
        "token_url",
        "Where tokens are asked for (oauth2)",
        "获取令牌的地址（oauth2）",
        default="",
        parse=parse_address,
    ),
    Setting("client_id", "Client (oauth2)", "客户端标识（oauth2）", default="", parse=parse_credential),
    Setting(
        "client_secret", "Its secret (oauth2)", "客户端密钥（oauth2）", default="", secret=True, parse=parse_credential
    ),
    Setting(
        "client_auth",
        "Client and secret in a basic header or in the body (oauth2)",
        "客户端与密钥的传递方式：basic（请求头）或 body（表单）（oauth2）",
        default="basic",
        parse=one_of("basic", "body"),
    ),
    Setting("scope", "Scope to ask for (oauth2; may be empty)", "申请的 scope（oauth2，可留空）", default=""),
)
