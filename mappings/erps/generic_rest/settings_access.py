"""The settings of a generic REST ERP that say where it is and how it lets us in."""

from __future__ import annotations

from urllib.parse import urlsplit

from mappings.connector import Setting
from mappings.erps.generic_rest.settings import one_of
from mappings.wire import parse_base_url


def parse_secret(text: str) -> str:
    """A credential without surrounding blanks. Raises ValueError; the message never shows it."""
    secret = text.strip()
    if not secret.isprintable():
        raise ValueError("The credential holds a line break or another unprintable character")
    return secret


def parse_token(text: str) -> str:
    """A bearer token: visible ASCII, as RFC 6750 has it. Raises ValueError; the message never shows it."""
    token = parse_secret(text)
    if not token.isascii() or " " in token:
        raise ValueError("A bearer token is one word of ASCII letters, digits and signs")
    return token


def parse_username(text: str) -> str:
    """A Basic user name, which RFC 7617 forbids to hold a colon. Raises ValueError."""
    name = parse_secret(text)
    if ":" in name:
        raise ValueError("A user name for Basic authentication cannot hold a colon")
    return name


def parse_token_url(text: str) -> str:
    """A whole address with its path and query, or none; plain http only to this machine. Raises ValueError."""
    url = text.strip()
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.fragment:
        raise ValueError("Give the bare address: client and secret have their own settings")
    parse_base_url(f"{parts.scheme}://{parts.netloc}")
    return url


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
    Setting("username", "User name (basic)", "用户名（basic）", default="", parse=parse_username),
    Setting("password", "Password (basic)", "密码（basic）", default="", secret=True, parse=parse_secret),
    Setting(
        "token_url",
        "Where tokens are asked for (oauth2)",
        "获取令牌的地址（oauth2）",
        default="",
        parse=parse_token_url,
    ),
    Setting("client_id", "Client (oauth2)", "客户端标识（oauth2）", default="", parse=parse_secret),
    Setting(
        "client_secret", "Its secret (oauth2)", "客户端密钥（oauth2）", default="", secret=True, parse=parse_secret
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
