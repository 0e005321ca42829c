"""Makes the golden files anew, and says which changed. Run from anywhere; read the difference before committing it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fakes.golden import FOLDER, MADE, cases, make


def main() -> None:
    changed = 0
    for case in cases():
        made = make(case)
        for name in MADE:
            path = FOLDER / case / name
            before = path.read_bytes() if path.exists() else None
            after = made[name].encode() if name in made else None
            if before == after:
                continue
            changed += 1
            print(f"{path.relative_to(FOLDER)}: {'removed' if after is None else 'written'}")
            if after is None:
                path.unlink()
            else:
                path.write_bytes(after)
    print(f"{changed} files changed")


if __name__ == "__main__":
    main()
