"""Write every reference page: `make reference`."""

from __future__ import annotations

from tools.reference import FOLDER, PAGES, made


def main() -> None:
    """Write the pages and say which changed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        path = FOLDER / name
        text = made(name)
        changed = not path.exists() or path.read_text("utf-8") != text
        if changed:
            path.write_text(text, "utf-8")
        print(f"docs/reference/{name}: {'written' if changed else 'as it was'}")


if __name__ == "__main__":
    main()
