"""A crawl with aiohttp: `async def` calls wait for many answers at once in each process of a worker.

The program starts a small site on the loopback address, follows its links from page 0, and says what it found.
Each page takes a twentieth of a second to come, so requests that overlap are what makes it fast.

    python crawl.py
"""

import asyncio
from collections import Counter

import aiohttp
import tidemill as tm
from aiohttp import web
from aiohttp.test_utils import TestServer

PAGES = 200
MISSING = 123


async def fetch(url: str) -> tuple[int, list[str]]:
    """The status of a page, and the paths that it links to."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        text = await answer.text()
        return answer.status, text.split() if answer.ok else []


class Site:
    """Page n links to pages 3n+1, 3n+2, 3n+3 and to the first; one of them is not there."""

    open = most_open = 0  # requests

    async def page(self, request: web.Request) -> web.Response:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0.05)
        self.open -= 1
        number = int(request.match_info["number"])
        if number == MISSING:
            raise web.HTTPNotFound
        links = [0, *range(3 * number + 1, min(3 * number + 4, PAGES))]
        return web.Response(text="\n".join(f"/{n}" for n in links))


async def crawl(ex: tm.Executor, address: str) -> dict[str, int]:
    """The status of every page that can be reached, found in waves: each has the links of the one before."""
    found: dict[str, int] = {}
    wave = {"/0"}
    while wave:
        paths = sorted(wave)
        answers = await asyncio.gather(*(ex.submit(fetch, address + path) for path in paths))
        found |= {path: status for path, (status, _) in zip(paths, answers, strict=True)}
        wave = {link for _, links in answers for link in links} - found.keys()
    return found


async def main() -> None:
    site = Site()
    app = web.Application()
    app.router.add_get("/{number}", site.page)
    async with TestServer(app) as server:
        with tm.Executor(max_workers=2, concurrency=20) as ex:
            found = await crawl(ex, str(server.make_url("")))
    print(f"{len(found)} pages, by status: {dict(Counter(found.values()))}")
    print(f"not there: {[path for path, status in found.items() if status == 404]}")
    print(f"more than 10 requests at once, on 2 processes: {site.most_open > 10}")


if __name__ == "__main__":
    asyncio.run(main())
