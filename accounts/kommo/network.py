"""Makes the error of a request that no answer came to: a NetworkError that says whether anything left."""

import socket
import ssl

import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.exceptions import ProxyError as PoolProxyError

from accounts.kommo.errors import Facts, NetworkError, gettext_noop

NO_HOST = gettext_noop("There is no such host: check the subdomain and KOMMO_URL_TEMPLATE.")
NO_TRUST = gettext_noop(
    "The host's certificate is not trusted: check the clock, the proxy and the CA bundle of this machine."
)
NEVER_CONNECTED = (NewConnectionError, ConnectTimeoutError, PoolProxyError, ssl.SSLCertVerificationError)
SENTENCES: tuple[tuple[type[BaseException], str], ...] = (
    (PoolProxyError, gettext_noop("the proxy could not be reached")),
    (ConnectionRefusedError, gettext_noop("the connection was refused")),
    (requests.ConnectTimeout, gettext_noop("no connection in time")),
    (NewConnectionError, gettext_noop("no connection could be made")),
    (requests.Timeout, gettext_noop("no answer in time")),
    (TimeoutError, gettext_noop("no answer in time")),
    (ssl.SSLError, gettext_noop("the encrypted connection failed")),
)
UNKNOWN_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def network_error(cause: BaseException, **facts: object) -> NetworkError:
    """Returns the NetworkError for whatever requests or urllib3 raised; `facts` as KommoError takes them."""
    chain: list[BaseException] = []  # the error and everything it wraps: as `reason`, as argument, as cause; each once
    waiting: list[object] = [cause]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and not any(link is each for each in chain):
            chain.append(link)
            waiting += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
    given = Facts(**facts)  # type: ignore[typeddict-item]
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return NetworkError(
            gettext_noop("the host's certificate is not trusted"), sent=False, **{**given, **_final(NO_TRUST)}
        )
    if any(isinstance(link, NameResolutionError) for link in chain):
        for_ever = any(isinstance(link, socket.gaierror) and link.errno in UNKNOWN_NAME for link in chain)
        more = _final(NO_HOST) if for_ever else Facts(remedy=NO_HOST)
        return NetworkError(gettext_noop("the name of the host is not known"), sent=False, **{**given, **more})
    sent = False if any(isinstance(link, NEVER_CONNECTED) for link in chain) else None
    unknown = sent is None and given.get("method") != "GET"
    # A sentence of our own: the libraries' texts carry addresses of objects, URLs and headers.
    sentences = (text for kind, text in SENTENCES if any(isinstance(link, kind) for link in chain))
    sentence = next(sentences, gettext_noop("the connection broke"))
    return NetworkError(sentence, sent=sent, **{**given, **Facts(outcome_unknown=unknown)})


def _final(remedy: str) -> Facts:
    return Facts(remedy=remedy, retryable=False)
