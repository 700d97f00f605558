"""Draws what a command shows in a terminal as an SVG: docs/pictures/demo.sh installs what this needs and runs it.

The command gets a pseudo-terminal of the given width as its standard output, so that it prints what a person sees, colours
included. Its standard error stays this program's. The picture has its own dark background and no external part, so that it
looks the same in light and dark mode.
"""

import argparse
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).parent

# Colours that are readable on the picture's own background.
THEME = TerminalTheme(
    (22, 27, 34),
    (214, 220, 228),
    [(90, 99, 110), (255, 123, 114), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 212, 221),
     (214, 220, 228)],
    [(139, 148, 158), (255, 161, 152), (126, 231, 135), (242, 204, 96), (165, 214, 255), (226, 197, 255), (179, 240, 255),
     (255, 255, 255)],
)

# As rich's own, without the font that it would load from elsewhere.
FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>What the demo shows in a terminal</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""


def shown(command: list[str], columns: int) -> str:
    """Runs a command with a terminal as its standard output, and returns everything that it wrote there."""
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CLICOLOR", "COLUMNS")}
    environment |= {"TERM": "xterm-256color"}
    child = os.fork()
    if child == 0:
        os.close(terminal)
        os.dup2(side, 1)
        try:
            os.execvpe(command[0], command, environment)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    os.close(side)
    written = bytearray()
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:
            # How Linux says that nobody holds the other end any more.
            break
        if not part:
            break
        written += part
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit(f"`{' '.join(command)}` ended with status {os.waitstatus_to_exitcode(status)}: nothing was drawn")
    return written.decode()


def lines(written: str) -> list[Text]:
    """The lines with their colours."""
    unknown = re.search(r"\x1b\[[0-9;?]*[A-Za-ln-z]", written)
    if unknown:
        sys.exit(f"the command moves the cursor ({unknown.group()!r}), which this program does not follow")
    return [Text.from_ansi(line) for line in written.replace("\r\n", "\n").rstrip("\n").split("\n")]


def part(found: list[Text], first: str | None, last: str | None) -> list[Text]:
    """The lines from the first that holds `first` to the one before the next that holds `last`."""
    def place(text: str, start: int) -> int:
        for index in range(start, len(found)):
            if text in found[index].plain:
                return index
        sys.exit(f"no line holds `{text}`")

    begin = place(first, 0) if first else 0
    end = place(last, begin + 1) if last else len(found)
    while end > begin and not found[end - 1].plain.strip():
        end -= 1
    return found[begin:end]


def drawn(found: list[Text], columns: int, title: str) -> str:
    """The picture. A line that is too long goes on in the next one, as in a terminal."""
    console = Console(width=columns, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in found:
        for row in line.divide(range(columns, len(line), columns)):
            console.print(row, no_wrap=True, overflow="crop", highlight=False)
    # 0.602 is the width of a character of the usual fonts for terminals, by its height.
    return console.export_svg(title=title, theme=THEME, code_format=FORMAT, font_aspect_ratio=0.602, unique_id="demo")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=110, help="the terminal's width [110]")
    parser.add_argument("--from", dest="first", metavar="TEXT", help="begin at the first line that holds TEXT")
    parser.add_argument("--until", dest="last", metavar="TEXT", help="end before the next line that holds TEXT")
    parser.add_argument("--capture", type=Path, metavar="FILE", help="draw what FILE holds instead of running the command")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write what the terminal showed into FILE")
    parser.add_argument("--output", type=Path, metavar="FILE", default=HERE / "demo.svg", help="the picture [demo.svg]")
    parser.add_argument("command", nargs="*", default=["cargo", "run", "--quiet", "--", "demo"], help="[cargo run -- demo]")
    given = parser.parse_args()
    written = given.capture.read_bytes().decode() if given.capture else shown(given.command, given.columns)
    if given.keep:
        given.keep.write_bytes(written.encode())
    title = "cargo run -- demo" if given.command[0] == "cargo" else " ".join(given.command)
    svg = drawn(part(lines(written), given.first, given.last), given.columns, title)
    given.output.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
    print(f"{given.output}: {len(svg)} bytes")


main()
