"""Calls an echo server on `sys.argv[1]` in every way, and prints a line for what came of each."""

import sys
import threading
import time

import grpc

import echo


def metadata(pairs):
    """Those that are the test's own."""
    return sorted((k, v) for k, v in pairs or () if k.startswith("own-"))


def show(name, *what):
    print(name, *(repr(it) for it in what), flush=True)


def failure(name, call):
    try:
        call()
        show(name, "no failure")
    except grpc.RpcError as error:
        details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
        show(name, error.code().name, error.details(), details, metadata(error.trailing_metadata()))


def short(reply):
    message, repeat, payload, _ = echo.decode(reply)
    return message[:40], repeat, len(payload), sum(payload) % 251


def unary(channel):
    call = channel.unary_unary(echo.SERVICE + "Unary")
    show("unary", short(call(echo.encode("hello", 7, b"\x00\xff"), timeout=30)))
    show("empty", short(call(b"", timeout=30)))
    payload = bytes(range(256)) * 4096 * 3
    show("large", short(call(echo.encode("large", payload=payload), timeout=30)))
    reply, done = call.with_call(
        echo.encode("metadata"), metadata=(("own-text", "a b"), ("own-bytes-bin", b"\x00\x80\xff")), timeout=30
    )
    show("metadata", metadata(done.initial_metadata()), metadata(done.trailing_metadata()))
    for code in range(1, 17):
        request = echo.encode(f"fail {code}", payload=b"\x08\x07\x00\xfe")
        failure(f"fail {code}", lambda: call(request, timeout=30))
    missing = channel.unary_unary(echo.SERVICE + "Missing")
    failure("missing", lambda: missing(b"", timeout=30))


def streams(channel):
    many = channel.unary_stream(echo.SERVICE + "ServerStream")
    show("server stream", [short(it) for it in many(echo.encode("many", 50), timeout=30)])
    failure("late", lambda: list(many(echo.encode("fail 9", 3, b"\x01"), timeout=30)))
    gather = channel.stream_unary(echo.SERVICE + "ClientStream")
    parts = (echo.encode(str(i), payload=bytes([i])) for i in range(50))
    show("client stream", short(gather(parts, timeout=30)))
    talk = channel.stream_stream(echo.SERVICE + "Bidi")
    heard = threading.Semaphore(1)

    def turns():
        for i in range(50):
            heard.acquire()
            yield echo.encode(f"turn {i}")

    said = []
    for answer in talk(turns(), timeout=30):
        said.append(short(answer)[0])
        heard.release()
    show("turns", said)


def endings(channel):
    call = channel.unary_unary(echo.SERVICE + "Unary")
    try:
        call(echo.encode("wait"), timeout=0.2)
    except grpc.RpcError as error:
        show("deadline", error.code().name)
    # The C core rounds up what it sends.
    remaining = int(echo.decode(call(echo.encode("remaining"), timeout=30))[0])
    show("remaining", 29_000 < remaining <= 31_000)
    many = channel.unary_stream(echo.SERVICE + "ServerStream")
    stream = many(echo.encode("wait", 1), timeout=30)
    show("before cancel", short(next(stream)))
    stream.cancel()
    for _ in range(300):
        cancelled = echo.decode(call(echo.encode("cancelled"), timeout=30))[1]
        if cancelled >= 2:
            break
        time.sleep(0.05)
    show("cancelled", cancelled)


with grpc.insecure_channel(
    sys.argv[1], options=[("grpc.max_receive_message_length", -1)]
) as channel:
    unary(channel)
    streams(channel)
    endings(channel)
