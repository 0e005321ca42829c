"""URLs taken apart and heads written; no network."""

from __future__ import annotations

import traceback

import pytest

from hermes_router.transport.base import HttpRequest, TransportError
from hermes_router.transport.request_head import begin_head, end_head
from hermes_router.transport.target import Origin, is_loopback, read_target

URL = "https://api.example.com/v1/chat?key=k"


def head(url: str = URL, method: str = "POST", body: bytes = b"body", proxy: str | None = None, **fields: str) -> str:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return written(HttpRequest(method, url, headers, body), proxy).decode()


def written(request: HttpRequest, proxy: str | None = None) -> bytes:
    return begin_head(request, read_target(request.url), proxy) + end_head(request)


def test_a_head_with_nothing_given() -> None:
    assert head() == (
        "POST /v1/chat?key=k HTTP/1.1\r\nhost: api.example.com\r\nuser-agent: hermes-router\r\n"
        "accept-encoding: identity\r\ncontent-length: 4\r\n\r\n"
    )


def test_what_the_caller_gives_replaces_the_defaults_in_any_case() -> None:
    text = head(Host="h", USER_AGENT="u", Accept_Encoding="gzip")
    assert text.split("\r\n")[1:4] == ["host: h", "user-agent: u", "accept-encoding: gzip"]


def test_the_length_is_the_bodys_whatever_the_caller_says() -> None:
    assert "content-length: 4\r\n" in head(Content_Length="400")


LENGTHS = {"POST": True, "PUT": True, "GET": False, "DELETE": False}


@pytest.mark.parametrize("method", LENGTHS)
def test_an_empty_body_has_a_length_only_where_one_is_expected(method: str) -> None:
    assert ("content-length: 0\r\n" in head(method=method, body=b"")) is LENGTHS[method]


def test_a_tab_and_latin_1_may_be_sent() -> None:
    assert "x-a: a\tb\r\n" in head(x_a="a\tb")
    assert b"x-a: \xe9\r\n" in written(HttpRequest("GET", URL, {"x-a": "é"}))


REFUSED = {
    "CR LF": {"x-a": "secret\r\nx-evil: 1"},
    "LF": {"x-a": "secret\nx-evil: 1"},
    "CR": {"x-a": "secret\rx-evil: 1"},
    "NUL": {"x-a": "secret\0"},
    "outside latin-1": {"x-a": "secret\u4e2d"},
    "a name with a blank": {"x a": "secret"},
    "a name with a line end": {"x-a\r\nx-evil": "secret"},
    "a name with a colon": {"x-a: b": "secret"},
    "an empty name": {"": "secret"},
    "our own framing": {"Transfer-Encoding": "chunked"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_header_that_cannot_be_sent_is_connect_and_not_quoted(case: str) -> None:
    with pytest.raises(TransportError) as caught:
        written(HttpRequest("POST", URL, REFUSED[case]))
    assert caught.value.kind == "connect"
    assert "secret" not in str(caught.value)
    assert "UnicodeEncodeError" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("method", ["GET /evil", "", "GET\r\n", "CONNECT"])
def test_a_method_that_cannot_be_sent_is_connect(method: str) -> None:
    with pytest.raises(TransportError) as caught:
        head(method=method)
    assert caught.value.kind == "connect"


def test_a_proxy_gets_the_whole_url_and_its_credential() -> None:
    text = head("http://user:pw@api.example.com:81/v1#part", proxy="Basic eA==")
    assert text.startswith("POST http://api.example.com:81/v1 HTTP/1.1\r\nhost: api.example.com:81\r\n")
    assert "proxy-authorization: Basic eA==\r\n" in text


def test_a_proxy_without_a_credential_gets_none() -> None:
    assert "proxy-authorization" not in head("http://api.example.com/", proxy="")


TARGETS = {
    "http://h": (Origin("http", "h", 80), "h", "/"),
    "https://h:443/a": (Origin("https", "h", 443), "h", "/a"),
    "https://H.Example:8443/A?b=c": (Origin("https", "h.example", 8443), "h.example:8443", "/A?b=c"),
    "http://[::1]:8080/": (Origin("http", "::1", 8080), "[::1]:8080", "/"),
    "http://bücher.example/ä b?q=ü%20": (
        Origin("http", "xn--bcher-kva.example", 80),
        "xn--bcher-kva.example",
        "/%C3%A4%20b?q=%C3%BC%20",
    ),
    "http://h?x=1": (Origin("http", "h", 80), "h", "/?x=1"),
}


@pytest.mark.parametrize("url", TARGETS)
def test_a_url_taken_apart(url: str) -> None:
    target = read_target(url)
    assert (target.origin, target.shown, target.path) == TARGETS[url]


def test_user_and_password_of_a_url_become_a_credential_unless_one_is_given() -> None:
    url = "https://me:p%40ss@api.example.com/"
    assert "authorization: Basic bWU6cEBzcw==\r\n" in head(url)
    assert "Basic" not in head(url, Authorization="Bearer k-test-1")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//h/",
        "ftp://h/",
        "http://",
        "http://a..b/",
        "http://h/\r\nx",
        "http://h:99999/",
        "http://a b/",
        "http://h/\udc80",
    ],
)
def test_a_url_that_means_nothing_is_connect(url: str) -> None:
    with pytest.raises(TransportError) as caught:
        read_target(url)
    assert caught.value.kind == "connect"
    assert caught.value.__context__ is None


LOOPBACK = {
    "localhost": True,
    "LOCALHOST.": True,
    "a.localhost": True,
    "127.0.0.1": True,
    "127.8.9.10": True,
    "::1": True,
    "10.0.0.1": False,
    "localhost.example.com": False,
    "api.example.com": False,
}


@pytest.mark.parametrize("host", LOOPBACK)
def test_which_hosts_are_loopback(host: str) -> None:
    assert is_loopback(host) is LOOPBACK[host]
