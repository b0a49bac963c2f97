import hashlib
import json
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dover_plugin import LicenseError, Scorer, SettingsError, WeightsError
from dover_plugin.networks import CONFIGS, Dover
from dover_plugin.networks.seeded import seeded_state_dict
from dover_plugin.weights import load, registry, store


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return seeded_state_dict(CONFIGS["dover-mobile"])


def same(network: Dover, state: dict[str, Any]) -> bool:
    loaded = network.state_dict()
    return loaded.keys() == state.keys() and all(torch.equal(loaded[k], state[k]) for k in state)


@pytest.fixture
def published_here(state: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Pretend that a local file is what was published as dover-mobile."""
    source = tmp_path / "source.pth"
    torch.save(state, source)
    row = registry.Published(
        "dover-mobile",
        "DOVER-Mobile.pth",
        ("http://127.0.0.1:9/DOVER-Mobile.pth",),
        hashlib.sha256(source.read_bytes()).hexdigest(),
        42_800_000,
        registry.S_LAB,
        "",
        "",
    )
    monkeypatch.setattr(registry, "registry", lambda: (row,))
    return source


def test_flat_file(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    network, digest = load.load_network("dover-mobile", tmp_path / "w.pth")
    assert same(network, state)
    assert digest == hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    assert not network.training


def test_nested_file_with_numpy_scalars(state: dict[str, Any], tmp_path: Path) -> None:
    extra = {"srcc": np.float64(0.8), "epoch": np.int64(3), "plcc": np.float32(0.7)}
    torch.save({"state_dict": state, "validation_results": extra}, tmp_path / "w.pth")
    assert same(load.load_network("dover-mobile", tmp_path / "w.pth")[0], state)


def test_unused_imagenet_heads_are_left_out(state: dict[str, Any], tmp_path: Path) -> None:
    unused = {
        f"{branch}_backbone.head.{part}": torch.zeros(1000)
        for branch in ("technical", "aesthetic")
        for part in ("weight", "bias")
    }
    torch.save(state | unused, tmp_path / "w.pth")
    assert same(load.load_network("dover-mobile", tmp_path / "w.pth")[0], state)


def test_half_precision_files_are_widened(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save({k: v.half() for k, v in state.items()}, tmp_path / "w.pth")
    network, _ = load.load_network("dover-mobile", tmp_path / "w.pth")
    assert {p.dtype for p in network.parameters()} == {torch.float32}


def test_heads_are_laid_over_the_published_weights(
    state: dict[str, Any], published_here: Path, tmp_path: Path
) -> None:
    heads = {k: v + 1 for k, v in state.items() if "_head." in k}
    torch.save({"state_dict": heads}, tmp_path / "heads.pth")
    with pytest.raises(LicenseError):
        load.load_network("dover-mobile", tmp_path / "heads.pth")
    target = store.cached("dover-mobile")
    target.parent.mkdir(parents=True)
    published_here.rename(target)
    network, digest = load.load_network("dover-mobile", tmp_path / "heads.pth")
    assert same(network, state | heads)
    parts = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (tmp_path / "heads.pth", target)]
    assert digest == "+".join(parts)


def test_convert_writes_safetensors_with_its_source(state: dict[str, Any], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pth")
    target = tmp_path / "w.safetensors"
    load.convert(tmp_path / "w.pth", target, "dover-mobile")
    with safe_open(target, "pt") as file:
        metadata = file.metadata()
    source = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    assert json.loads(metadata["dover_plugin"]) == {
        "model": "dover-mobile",
        "source": "w.pth",
        "source_sha256": source,
    }
    assert same(load.load_network("dover-mobile", target)[0], state)
    assert not list(tmp_path.glob("*.part"))


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("code of the file runs",))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not weights",
        b"abc" * 100,
        {"a": Evil()},
        [1, 2],
        {"state_dict": 3},
        {"a": "text"},
        {1: torch.zeros(2)},
        {"a": torch.zeros(2).to_sparse()},
    ],
    ids=["empty", "text", "abc", "code", "list", "no-dict", "no-tensors", "numbered", "sparse"],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_that_are_no_weights(
    content: Any, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"w{suffix}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=f"w{suffix}") as caught:
        load.load_network("dover-mobile", path)
    assert "\n" not in str(caught.value)
    if suffix == ".pth" and isinstance(content, bytes):
        assert "damaged" in str(caught.value)  # not the words of Python's reader
    assert "runs" not in capsys.readouterr().out


def test_a_misfit_names_the_keys(state: dict[str, Any], tmp_path: Path) -> None:
    broken = dict(state)
    del broken["technical_head.fc_last.bias"]
    broken["extra.weight"] = torch.zeros(2)
    broken["aesthetic_head.fc_last.weight"] = torch.zeros(3)
    torch.save(broken, tmp_path / "w.pth")
    with pytest.raises(WeightsError) as caught:
        load.load_network("dover-mobile", tmp_path / "w.pth")
    for part in (
        "1 missing, such as technical_head.fc_last.bias",
        "1 unexpected, such as extra.weight",
        "1 misshapen, such as aesthetic_head.fc_last.weight",
    ):
        assert part in str(caught.value)


def test_whole_numbers_are_no_weights(state: dict[str, Any], tmp_path: Path) -> None:
    key = "technical_head.fc_last.bias"
    torch.save(state | {key: state[key].long()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=f"1 misshapen, such as {key}"):
        load.load_network("dover-mobile", tmp_path / "w.pth")


@pytest.mark.parametrize("target", ["w.pth", "none/w.safetensors", "folder.safetensors"])
def test_places_that_weights_cannot_be_converted_to(
    target: str, seeded: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(WeightsError, match=r"Use a \.safetensors file"):
        load.convert(seeded["dover-mobile"], tmp_path / target, "dover-mobile")
    assert not list(tmp_path.rglob("*.part"))


def test_weights_of_another_model_are_recognised(seeded: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match="It fits dover and dover"):
        load.load_network("dover-mobile", seeded["dover"])
    with pytest.raises(WeightsError, match=r"It fits dover-mobile\."):
        Scorer("dover", weights=seeded["dover-mobile"])


def test_values_that_are_not_finite(state: dict[str, Any], tmp_path: Path) -> None:
    bad = state["technical_head.fc_hid.bias"].clone()
    bad[3] = float("nan")
    torch.save(state | {"technical_head.fc_hid.bias": bad}, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"not finite in 1 tensors, such as technical_head.fc_hid"
    ):
        load.load_network("dover-mobile", tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("typo", "hint"),
    [("dover_mobile", "dover-mobile"), ("DOVER", "dover"), ("dover+", "dover")],
)
def test_a_typo_in_the_model_gets_a_suggestion(typo: str, hint: str) -> None:
    with pytest.raises(SettingsError, match=f"Did you mean '{hint}"):
        Scorer(typo)


def test_nothing_is_downloaded_without_consent() -> None:
    with pytest.raises(LicenseError) as caught:
        Scorer("dover-mobile")
    assert "non-commercial" in str(caught.value)
    assert "dover weights download dover-mobile --accept-license" in str(caught.value)
    assert not (store.cache_dir() / "weights").exists()


def test_a_missing_file_of_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no weights file"):
        Scorer("dover-mobile", weights=tmp_path / "none.pth")


def test_cached_weights_are_verified_before_use(published_here: Path) -> None:
    target = store.cached("dover-mobile")
    target.parent.mkdir(parents=True)
    target.write_bytes(b"x" + published_here.read_bytes()[1:])
    with pytest.raises(WeightsError, match=r"damaged or not dover-mobile.*dover weights download"):
        Scorer("dover-mobile")
    published_here.replace(target)
    assert Scorer("dover-mobile", engine="torch").settings.weights_sha256 == store.verify(
        "dover-mobile"
    )


def test_weights_without_a_published_hash_are_pinned(
    published_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = registry.Published("dover-mobile", "w.pth", ("url",), None, 1, registry.S_LAB, "", "")
    monkeypatch.setattr(registry, "registry", lambda: (row,))
    monkeypatch.setattr(
        store,
        "download",
        lambda urls, target, sha256, progress, max_bytes: (
            target.parent.mkdir(parents=True),
            target.write_bytes(published_here.read_bytes()),
        ),
    )
    monkeypatch.setenv("DOVER_ACCEPT_LICENSE", "1")
    file = store.find("dover-mobile")
    assert store.verify("dover-mobile") == hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(b"changed")
    with pytest.raises(WeightsError, match="damaged"):
        store.find("dover-mobile")


def test_the_table_is_complete() -> None:
    for row in registry.registry():
        assert row.model in CONFIGS
        assert row.license
        assert all(url.startswith("https://") for url in row.urls)
        assert row.sha256 is None or len(row.sha256) == 64


def test_every_model_states_what_it_is_verified_against() -> None:
    stated = {row.model: row.verified_against for row in registry.registry()}
    assert stated == {
        "dover-open": "published SHA-256",
        "dover": "published SHA-256",
        "dover-mobile": "published SHA-256",
        **dict.fromkeys(
            ["dover++", "fast-vqa", "fastervqa", "fast-vqa-m"],
            "SHA-256 of the first use (no published hash)",
        ),
    }


def test_licenses_state_which_models_may_be_used_commercially() -> None:
    for row in registry.registry():
        assert row.commercial == ("S-Lab" not in row.license)
        assert ("MIT License" in row.license) == row.one_score


def test_mit_weights_are_downloaded_without_consent_and_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "served").mkdir()
    torch.save({"state_dict": {"a": torch.ones(1)}}, tmp_path / "served" / "w.pth")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/w.pth"
    row = replace(registry.published("fast-vqa"), file="w.pth", urls=(url,), size=10_000)
    monkeypatch.setattr(registry, "registry", lambda: (row,))
    try:
        file = store.find("fast-vqa", consent=lambda _: pytest.fail("asked for consent"))
    finally:
        server.shutdown()
        server.server_close()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert store.verify("fast-vqa") == digest
    assert "MIT License" in caplog.text
    assert f"w.pth has no published hash; its SHA-256 {digest} is stored" in caplog.text
    file.write_bytes(b"changed")
    with pytest.raises(WeightsError, match="damaged or not fast-vqa"):
        store.find("fast-vqa")


def test_published_names_of_fast_vqa_are_translated(fast_vqa_m: Path) -> None:
    network, _ = load.load_network("fast-vqa-m", fast_vqa_m)
    expected = seeded_state_dict(CONFIGS["fast-vqa-m"])
    assert all(torch.equal(expected[k], v) for k, v in network.state_dict().items())
    with pytest.raises(WeightsError, match=r"does not fit fast-vqa: .* It fits fast-vqa-m\."):
        load.load_network("fast-vqa", fast_vqa_m)


def test_one_branch_is_kept_and_the_whole_file_is_checked(
    state: dict[str, Any], tmp_path: Path
) -> None:
    rule = registry.published("dover-mobile").sampling.only(("technical",), "dover-mobile")
    torch.save(state, tmp_path / "w.pth")
    network, digest = load.load_network("dover-mobile", tmp_path / "w.pth", rule)
    assert set(network.state_dict()) == {key for key in state if key.startswith("technical_")}
    assert digest == hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    state["aesthetic_head.fc_hid.bias"][0] = float("nan")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"not finite .* aesthetic_head\.fc_hid\.bias"):
        load.load_network("dover-mobile", tmp_path / "w.pth", rule)


@pytest.mark.parametrize("about", ["[]", "{", '{"base_sha256": 3}', "[" * 100_000])
def test_damaged_metadata_of_heads(
    about: str, state: dict[str, Any], published_here: Path, tmp_path: Path
) -> None:
    target = store.cached("dover-mobile")
    target.parent.mkdir(parents=True)
    published_here.rename(target)
    heads = {key: value for key, value in state.items() if "_head." in key}
    save_file(heads, tmp_path / "heads.safetensors", {"dover_plugin": about})
    with pytest.raises(WeightsError, match=r"metadata of '.*heads\.safetensors' is invalid"):
        load.load_network("dover-mobile", tmp_path / "heads.safetensors")
