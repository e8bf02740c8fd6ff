"""A web server on the loopback address, for tests of downloads."""

import contextlib
import http.server
import re
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content` by path; notes each request as (path, Range header)."""

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append((self.path, asked))
        content = server.content.get(self.path)
        if content is None:
            self.send_error(404)
            return
        begin = 0
        if asked and server.ranges:
            begin = int(re.match(r"bytes=(\d+)-", asked).group(1))
            if begin >= len(content):
                self.send_error(416)
                return
        body = content[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut])
        self.close_connection = True

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serve(content, *, ranges=True, cut=None):
    """A server of `content` (bytes by path): its address is `.url`, what was asked is in `.requests`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.requests, server.ranges, server.cut = content, [], ranges, cut
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
