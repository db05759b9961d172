"""transformers: loads, unloads and failures of ``from_pretrained``, by itself, by ``AutoModel`` and by ``pipeline``."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.transformers import TransformersInstrumentor
from tests.instrumentation.loaders import shapes


@pytest.fixture
def transformers(library: Callable[[str, dict[str, str]], tuple[Any, bool]]) -> Generator[tuple[Any, bool]]:
    """The library, hooked, and whether it is the real one."""
    instrumentor = TransformersInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield library("transformers", shapes.TRANSFORMERS)
    instrumentor.uninstrument()


@pytest.fixture
def place(transformers: tuple[Any, bool], tmp_path: Path) -> str:
    """A directory with a tiny model of random weights."""
    library, real = transformers
    place = tmp_path / "tiny"
    if real:
        tokens = {"bos_token_id": 0, "eos_token_id": 0}
        config = library.GPT2Config(vocab_size=64, n_positions=16, n_embd=8, n_layer=1, n_head=2, **tokens)
        library.GPT2LMHeadModel(config).save_pretrained(place)
    else:
        place.mkdir()
        (place / "model.safetensors").write_bytes(bytes(6112))
    return str(place)


def by_class(library: Any, place: str) -> Any:
    return library.GPT2LMHeadModel.from_pretrained(place)


def by_auto_class(library: Any, place: str) -> Any:
    return library.AutoModelForCausalLM.from_pretrained(pretrained_model_name_or_path=place)


def with_information(library: Any, place: str) -> Any:
    model, information = library.GPT2LMHeadModel.from_pretrained(place, output_loading_info=True)
    assert not information["missing_keys"]
    return model


@pytest.mark.parametrize("load", [by_class, by_auto_class, with_information])
def test_a_load_and_its_end(
    load: Callable[[Any, str], Any], transformers: tuple[Any, bool], place: str, captured: testing.Captured
) -> None:
    model = load(transformers[0], place)
    assert type(model).__name__ == "GPT2LMHeadModel"
    assert captured.value("llm_router.models.loaded", format="safetensors", size_category="small") == 1
    assert captured.count("llm_router.model.load.duration", model="tiny", format="safetensors") == 1
    assert captured.value("llm_router.model.memory", model="tiny") == model.get_memory_footprint() == 6112
    del model
    gc.collect()
    assert captured.value("llm_router.models.loaded") == 0
    assert captured.points("llm_router.model.memory") == []


def test_a_pipeline(transformers: tuple[Any, bool], place: str, captured: testing.Captured) -> None:
    library, real = transformers
    options: dict[str, Any] = {}
    if real:
        tokenizers: Any = pytest.importorskip("tokenizers")
        words = tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="a")
        options["tokenizer"] = library.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(words))
    model = library.pipeline("text-generation", model=place, **options)
    assert captured.value("llm_router.models.loaded", format="safetensors") == 1
    assert captured.count("llm_router.model.load.duration", model="tiny") == 1
    again = library.pipeline("text-generation", model=model.model, **options)
    assert captured.count("llm_router.model.load.duration", model="tiny") == 1
    del model, again
    gc.collect()
    assert captured.value("llm_router.models.loaded") == 0


def test_failures(transformers: tuple[Any, bool], tmp_path: Path, captured: testing.Captured) -> None:
    with pytest.raises(OSError):  # noqa: PT011  # the libraries' words differ by version
        transformers[0].GPT2LMHeadModel.from_pretrained(str(tmp_path / "nothing"))
    assert captured.value("llm_router.errors", component="model") == 1
    assert captured.points("llm_router.models.loaded") == []


def test_without_us(library: Any, captured: testing.Captured) -> None:
    instrumentor = TransformersInstrumentor()
    found = library("transformers", shapes.TRANSFORMERS)[0]
    base: Any = found.PreTrainedModel
    kept = cast("dict[str, Any]", vars(base))
    before = kept["from_pretrained"]
    instrumentor.instrument(skip_dep_check=True)
    assert vars(base)["from_pretrained"] is not before
    instrumentor.uninstrument()
    assert vars(base)["from_pretrained"] is before
    assert found.GPT2LMHeadModel.from_pretrained.__self__ is found.GPT2LMHeadModel
