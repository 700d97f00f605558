"""Downloads of layers as S3 serves them, where the addresses that Lambda gives out lead to."""

LAYERS = "/_ministack/lambda-layers/"


def ranged(app):
    """The ASGI application that answers a range of the last bytes (`bytes=-500`) with those alone, and leaves everything
    else to MiniStack, which always sends the whole (RFC 9110, section 14; S3 API reference, GetObject)."""

    async def answered(scope, receive, send):
        wanted = dict(scope.get("headers") or []).get(b"range", b"")
        if scope["type"] != "http" or not scope["path"].startswith(LAYERS) or not wanted.startswith(b"bytes=-"):
            await app(scope, receive, send)
            return
        messages = []

        async def keep(message):
            messages.append(message)

        await app(scope, receive, keep)
        start, *rest = messages
        body = b"".join(message.get("body", b"") for message in rest)
        part = body[-int(wanted.removeprefix(b"bytes=-")):]
        status, headers = start["status"], [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
        if status == 200 and body:
            status = 206
            headers.append((b"content-range", f"bytes {len(body) - len(part)}-{len(body) - 1}/{len(body)}".encode()))
            body = part
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answered
