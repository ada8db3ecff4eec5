"""The messages of echo.v1, by hand: no protobuf is needed for four fields."""

SERVICE = "/echo.v1.Echo/"


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return number, at


def encode(message="", repeat=0, payload=b"", server=""):
    out = bytearray()
    for field, value in ((1, message.encode()), (3, payload), (4, server.encode())):
        if value:
            out += varint(field << 3 | 2) + varint(len(value)) + value
    if repeat:
        out += varint(2 << 3) + varint(repeat)
    return bytes(out)


def decode(data):
    """(message, repeat, payload, server)"""
    fields = {1: b"", 2: 0, 3: b"", 4: b""}
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        fields[key >> 3] = value
    return fields[1].decode(), fields[2], bytes(fields[3]), fields[4].decode()
