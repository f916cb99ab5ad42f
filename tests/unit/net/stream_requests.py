"""Requests as bytes of a stream, and waiting for what comes of them."""

import asyncio

OPTIONS = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 127.0.0.1:5999;branch=z9hG4bK%d;rport\r\n"
    b"From: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@x>\r\n"
    b"Call-ID: c%d\r\n"
    b"CSeq: 1 OPTIONS\r\n"
)
END = b"Content-Length: 0\r\n\r\n"


def options(number: int = 1) -> bytes:
    return OPTIONS % (number, number) + END


async def until(condition) -> None:
    """Let the loop turn until `condition` holds."""

    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


async def ask_again(server, dial) -> bytes:
    wire = await dial(server.port)
    wire.write(options(99))
    return await wire.message()
