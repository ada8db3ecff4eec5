"""An echo server on the C core of gRPC. Prints its port, and ends when its standard input does.

What a request says in `message` decides what becomes of it:
  fail CODE   the status CODE, with the payload as grpc-status-details-bin; a stream first replies
  wait        an answer after 10 s
  remaining   how many milliseconds the caller will wait, or `none`
  attempts    what grpc-previous-rpc-attempts says, or `none`
  metadata    the caller's own- metadata, in the headers and in the trailers
  cancelled   how many calls were cancelled so far, in `repeat`
"""

import sys
import threading
from concurrent import futures

import grpc

import echo

CODES = {code.value[0]: code for code in grpc.StatusCode}
WHY = "na\u00efve: 100 %\nof it"
cancelled = 0
lock = threading.Lock()


def fail(context, code, payload):
    details = (("grpc-status-details-bin", payload),) if payload else ()
    context.set_trailing_metadata((("own-why", "because"),) + details)
    context.abort(CODES[code], WHY)


def wait(context):
    over = threading.Event()

    def ended():
        global cancelled
        # A call that waited to its end was not cancelled.
        if not over.is_set():
            over.set()
            with lock:
                cancelled += 1

    # It refuses who comes after the end of the call.
    if not context.add_callback(ended):
        ended()
    return over


def linger(over):
    over.wait(10)
    over.set()


def reply(request, context):
    message, repeat, payload, _ = echo.decode(request)
    metadata = dict(context.invocation_metadata())
    if message.startswith("fail "):
        fail(context, int(message.split()[1]), payload)
    elif message == "wait":
        linger(wait(context))
    elif message == "remaining":
        left = context.time_remaining()
        # Without a deadline the C core tells centuries.
        message = "none" if left is None or left > 1e8 else str(int(left * 1000))
    elif message == "attempts":
        message = metadata.get("grpc-previous-rpc-attempts", "none")
    elif message == "metadata":
        own = tuple(sorted((k, v) for k, v in metadata.items() if k.startswith("own-")))
        context.send_initial_metadata(own)
        context.set_trailing_metadata(own)
    elif message == "cancelled":
        repeat = cancelled
    return echo.encode(message, repeat, payload, "grpcio")


def server_stream(request, context):
    message, repeat, payload, _ = echo.decode(request)
    # Before the first reply: who cancels after it may not let this go on.
    over = wait(context) if message == "wait" else None
    for place in range(repeat):
        yield echo.encode(message, place, payload, "grpcio")
    if message.startswith("fail "):
        fail(context, int(message.split()[1]), payload)
    if over:
        linger(over)


def client_stream(requests, context):
    messages, payload = [], b""
    for request in requests:
        message, _, more, _ = echo.decode(request)
        messages.append(message)
        payload += more
    return echo.encode(" ".join(messages), len(messages), payload, "grpcio")


def bidi(requests, context):
    for request in requests:
        yield reply(request, context)


def main():
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(reply),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    }
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        options=[("grpc.max_receive_message_length", -1)],
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("echo.v1.Echo", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
