"""Write everything that is made from the code: `make reference`."""

from __future__ import annotations

from tools.reference import FILES, FOLDER, ROOT, made


def main() -> None:
    """Write the files and say which changed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FILES:
        text = made(path)
        changed = not path.exists() or path.read_text("utf-8") != text
        if changed:
            path.write_text(text, "utf-8")
        print(f"{path.relative_to(ROOT)}: {'written' if changed else 'as it was'}")


if __name__ == "__main__":
    main()
