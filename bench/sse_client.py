# SPDX-License-Identifier: MIT
"""The Python client that bench/sse.sh compares with: aiohttp, one task a stream, a time read for
each message and one json.loads, as LLM benchmark clients in Python are written.

    sse_client.py asyncio|uvloop PORT STREAMS TOKENS

Prints one line of key=value. The server's true send time is the digits of each token's text.
"""
import asyncio
import json
import sys
import time

import aiohttp


async def one(session, url, number, tokens, errors, ttfts, gaps):
    body = {
        "model": "scheduled",
        "messages": [{"role": "user", "content": f"python {number}"}],
        "max_tokens": tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    pending = b""
    previous = None
    async with session.post(url, json=body) as answer:
        async for piece in answer.content.iter_any():
            pending += piece
            while (end := pending.find(b"\n\n")) >= 0:
                message, pending = pending[:end], pending[end + 2 :]
                now = time.monotonic_ns()
                if message == b"data: [DONE]":
                    continue
                choices = json.loads(message[6:])["choices"]
                text = choices[0]["delta"].get("content") if choices else None
                if not text:
                    continue
                error = (now - int(text)) / 1e3
                errors.append(error)
                if previous is None:
                    ttfts.append(error)
                else:
                    gaps.append(abs(error - previous))
                previous = error


def quantiles(name, values):
    values.sort()
    at = lambda q: values[min(len(values) - 1, int(len(values) * q))]
    return f" {name}_p50={at(0.5):.2f} {name}_p99={at(0.99):.2f} {name}_p999={at(0.999):.2f}"


async def main(port, streams, tokens):
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    errors, ttfts, gaps = [], [], []
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        before = time.process_time()
        await asyncio.gather(
            *(one(session, url, i, tokens, errors, ttfts, gaps) for i in range(streams))
        )
        cpu = time.process_time() - before
    line = f"cpu_us={cpu * 1e6 / len(errors):.3f}"
    print(line + quantiles("arrival_user_us", errors) + quantiles("itl_us", gaps) + quantiles("ttft_us", ttfts))


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
