"""Models on the hub: the folder with its card, its upload, and what comes back from there."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import ModelCard, errors

import spd
from helpers.checkpoints import save_checkpoint
from helpers.fake_hub import FakeHub, install
from spd.checkpoints.checkpoint import load_checkpoint
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.errors import CheckpointError, ConfigError, DataError
from spd.evaluate import evaluate
from spd.export import hub
from spd.export.model_card import CardFacts, card_text
from spd.models.spd import SPD
from spd.predictors.torch_predictor import Predictor

ABOUT = {
    "recipe": "rooms_tiny",
    "step": 400,
    "val_abs_rel": 0.25,
    "training": {"batch_size": 8, "silog": "bts", "beside": ["conv"]},
    "training_median_m": 3.139,
}


@pytest.fixture
def fake_hub(tmp_path, monkeypatch) -> FakeHub:
    return install(monkeypatch, tmp_path / "hub")


@pytest.fixture
def evaluation(small_model, rgbd_folder, tmp_path) -> Path:
    save_checkpoint(small_model, tmp_path / "evaluated")
    predictor = Predictor(small_model, torch.device("cpu"), str(tmp_path / "evaluated"))
    samples, data = RGBDFolder(rgbd_folder, "val"), f"{rgbd_folder}:val"
    evaluate(predictor, samples, tmp_path / "evaluation", data=data)
    return tmp_path / "evaluation"


def card_of(folder: Path) -> ModelCard:
    return ModelCard((folder / "README.md").read_text(encoding="utf-8"))


def assert_same_model(model: SPD, expected: SPD) -> None:
    assert model.config == expected.config
    for name, tensor in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_a_saved_folder_loads_under_every_name(small_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hub.save_pretrained(small_model, "mine", about=ABOUT)
    names = ["README.md", "checksums.json", "config.json", "model.safetensors"]
    assert sorted(path.name for path in Path("mine").iterdir()) == names
    for source in ("mine", Path("mine"), tmp_path / "mine" / "model.safetensors"):
        loaded = hub.from_pretrained(source)
        assert_same_model(loaded, small_model)
        assert not loaded.training
    predictor = spd.load("mine", device="cpu")
    assert (predictor.config, predictor.training_median_m) == (small_model.config, 3.139)


def test_an_existing_folder_is_not_overwritten(small_model, tmp_path):
    hub.save_pretrained(small_model, tmp_path / "mine")
    with pytest.raises(CheckpointError, match="mine already exists"):
        hub.save_pretrained(small_model, tmp_path / "mine")


def test_weights_stored_in_float16_load_as_float32(small_model, tmp_path):
    hub.save_pretrained(small_model, tmp_path / "half", dtype=torch.float16)
    assert hub.from_pretrained(tmp_path / "half").dtype == torch.float32


def test_a_pushed_model_loads_from_the_hub(small_model, fake_hub):
    address = hub.push_to_hub(
        small_model, "somebody/rooms", private=True, about=ABOUT, license="mit"
    )
    assert address == "https://hub.example/somebody/rooms"
    assert fake_hub.asked == [("somebody/rooms", True, True)]
    assert_same_model(hub.from_pretrained("somebody/rooms"), small_model)
    predictor = spd.load("somebody/rooms", device="cpu")
    assert (predictor.source, predictor.training_median_m) == ("somebody/rooms", 3.139)
    snapshot = fake_hub.snapshot("somebody/rooms")
    assert 'spd.load("somebody/rooms")' in card_of(snapshot).text
    assert card_of(snapshot).data.license == "mit"


def test_the_cards_metadata_are_what_the_hub_reads(small_model, tmp_path):
    hub.save_pretrained(small_model, tmp_path / "mine", about=ABOUT, license="apache-2.0")
    data = card_of(tmp_path / "mine").data.to_dict()
    assert data == {
        "library_name": "spd",
        "license": "apache-2.0",
        "pipeline_tag": "depth-estimation",
        "tags": ["metric-depth", "monocular-depth-estimation", "query-points"],
    }
    assert load_checkpoint(tmp_path / "mine")[1]["license"] == "apache-2.0"


def test_the_card_shows_recorded_facts(small_model, tmp_path):
    hub.save_pretrained(small_model, tmp_path / "mine", about=ABOUT)
    text = card_of(tmp_path / "mine").text
    parameters = sum(parameter.numel() for parameter in small_model.parameters())
    assert f"an SPD model with {parameters:,} parameters" in text
    assert "| decoder | 12 channels, 4 heads, local path cross_attention |" in text
    assert "| encoder | 5 blocks of 22 channels, 2 heads," in text
    for row in ("recipe | rooms_tiny", "batch_size | 8", "training_median_m | 3.139"):
        assert f"| {row} |" in text
    assert "was used to select this checkpoint: 0.2500." in text
    assert "No evaluation is included with this model." in text


def test_the_card_of_an_unknown_model_states_no_results(small_model, tmp_path):
    hub.save_pretrained(small_model, tmp_path / "mine")
    card = card_of(tmp_path / "mine")
    assert card.data.license == "unknown"
    assert "The licence of the weights is not stated." in card.text
    assert "No training information is recorded with the weights." in card.text
    assert "AbsRel" not in card.text
    assert "model-index" not in card.content


def test_the_card_shows_the_numbers_of_an_evaluation(small_model, evaluation, tmp_path):
    hub.save_pretrained(small_model, tmp_path / "mine", evaluation=evaluation)
    metrics = json.loads((evaluation / "metrics.json").read_text())
    card = card_of(tmp_path / "mine")
    results = {one.metric_type: one for one in card.data.eval_results}
    assert {name: one.metric_value for name, one in results.items()} == {
        name: pytest.approx(metrics["sparse"][name]) for name in ("abs_rel", "rmse", "delta1")
    }
    assert results["abs_rel"].dataset_name == "frames:val"  # and not where on this machine
    assert str(tmp_path) not in card.content
    for words, values in (
        ("queried points", metrics["sparse"]),
        ("dense map, sampled at the points", metrics["dense"]),
        ("baseline: constant depth", metrics["floors"]["constant"]),
        ("baseline: ground-truth median of each image", metrics["floors"]["image_median"]),
    ):
        numbers = " | ".join(f"{values[name]:.4g}" for name in ("abs_rel", "rmse", "delta1"))
        assert f"| {words} | {numbers} |" in card.text
    assert f"Evaluated on 2 images and {metrics['points']:,} pixels of frames:val" in card.text


def test_an_evaluation_of_another_model_is_refused(small_config, evaluation, tmp_path):
    other = SPD(small_config.model_copy(update={"head_width": 18}))
    with pytest.raises(DataError, match="is an evaluation of a different model"):
        hub.save_pretrained(other, tmp_path / "mine", evaluation=evaluation)
    with pytest.raises(DataError, match=r"settings\.json"):
        hub.save_pretrained(other, tmp_path / "mine", evaluation=tmp_path / "nowhere")
    assert not (tmp_path / "mine").exists()


def test_recorded_facts_cannot_become_markup(small_config):
    about = {"recipe": "a | b\n# <script>alert(1)</script>", "step": 3}
    text = card_text('x"\n---\n# y', CardFacts(small_config, 1, about, "mit"))
    assert r"| recipe | a \| b # \<script\>alert(1)\</script\> |" in text
    assert r'spd.load("x\"\n---\n# y")' in text
    assert ModelCard(text).data.library_name == "spd"


@pytest.mark.parametrize("license", ["Apache 2.0", "", "mit\ntags: x", "ÄPL"])
def test_an_invalid_licence_is_refused(small_model, tmp_path, license):
    with pytest.raises(ConfigError, match="is not a valid hub licence identifier"):
        hub.save_pretrained(small_model, tmp_path / "mine", license=license)


@pytest.mark.parametrize("repo", ["", "a/b/c", "some body/rooms", "somebody/rooms.git", "-x/y"])
def test_an_invalid_repository_name_is_refused_before_anything_is_sent(small_model, fake_hub, repo):
    with pytest.raises(
        CheckpointError, match=r"is not a valid hub repository name; expected OWNER"
    ):
        hub.push_to_hub(small_model, repo)
    assert fake_hub.asked == []


def answered(status: int) -> errors.HfHubHTTPError:
    """The hub's answer to a request, whichever HTTP client is below it."""
    response = SimpleNamespace(headers={}, request=None, status_code=status)
    return errors.HfHubHTTPError("Bad\n\nRequest ID: 1", response=response)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.LocalTokenNotFoundError("Token is required"), r"no access token was found; log in"),
        (answered(401), r"the hub denied access \(status 401\); does your token have permission"),
        (answered(403), r"the hub denied access \(status 403\)"),
        (answered(500), r"the hub returned status 500: Bad"),
        (errors.OfflineModeIsEnabled("off"), "the hub client is in offline mode"),
        (errors.HTTPError("no route"), "the network connection failed"),
        (ConnectionError("reset"), "the network connection failed"),
        (MemoryError(), "MemoryError: no error message"),
    ],
)
def test_a_failed_upload_is_one_line(small_model, fake_hub, monkeypatch, error, words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(fake_hub, "create_repo", fail)
    with pytest.raises(CheckpointError, match=f"^upload to somebody/rooms failed: {words}") as told:
        hub.push_to_hub(small_model, "somebody/rooms")
    assert "\n" not in str(told.value)
    assert not fake_hub.folder.exists()


def test_the_folder_of_another_network_is_refused(tmp_path):
    (tmp_path / "model.safetensors").touch()
    config = {"model_type": "glpn", "architectures": ["GLPNForDepthEstimation"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"is not an SPD model; open it with spd\.load"):
        hub.from_pretrained(tmp_path)
