"""The bot.toml that `bot config show --template` writes."""

import re

from pydantic import ValidationError

from bot.assembly import installed
from bot.settings import Settings, check, read
from bot.settings.template import template


def tables(text):
    """Each table's lines, uncommented, by its header; the keys before the first by ""."""
    found = {"": []}
    for line in text.splitlines():
        if header := re.fullmatch(r"#(\[.+\])", line):
            found[header[1]] = table = []
        elif re.match(r"#\w+ = ", line):
            table = found[next(reversed(found))]
            table.append(line[1:])
    return found


def test_as_it_is_it_says_nothing(tmp_path):
    plugins = installed(Settings(), {})
    path = tmp_path / "bot.toml"
    path.write_text(template(plugins.components))
    assert read(path, {}).model_dump() == Settings().model_dump()


def test_every_default_in_it_is_one(tmp_path):
    plugins = installed(Settings(), {})
    found = tables(template(plugins.components))
    lines = []
    incomplete = {
        f"[{section(one.kind)}.{one.type}]" for one in plugins.components if not complete(one)
    }
    for header, keys in found.items():
        if header not in incomplete:
            lines += [header, *(key for key in keys if not key.endswith("…"))]
    path = tmp_path / "bot.toml"
    path.write_text("\n".join(lines))
    settings = read(path, {})
    checked = check(settings, plugins.component, plugins.types, ["echo"])
    assert ("retriever", "pgvector") in checked.options
    for (kind, name), options in checked.options.items():
        factory = plugins.component(kind, checked.types[kind, name])
        assert options == factory.settings(), (kind, name)


def test_every_component_and_each_of_its_keys_is_in_it():
    plugins = installed(Settings(), {})
    found = tables(template(plugins.components))
    assert "path = …  # required" in found["[sources.folder]"]
    for component in plugins.components:
        (keys,) = [keys for header, keys in found.items() if header.endswith(f".{component.type}]")
                   and header.startswith(f"[{section(component.kind)}.")]  # fmt: skip
        names = {key.partition(" = ")[0] for key in keys}
        assert names >= set(component.settings.model_fields)


def complete(component):
    try:
        component.settings()
    except ValidationError:
        return False
    return True


def section(kind):
    return {"loader": "sources"}.get(kind, f"{kind}s")
