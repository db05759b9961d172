"""llama-cpp-python: loads, unloads and failures of ``Llama``."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.llama_cpp import LlamaCppInstrumentor
from tests.instrumentation.loaders import shapes


def write_gguf(path: Path) -> Path:
    """Write a tiny model of random weights: a real one where the package gguf is there."""
    try:
        gguf: Any = importlib.import_module("gguf")
        numpy: Any = importlib.import_module("numpy")
    except ImportError:
        path.write_bytes(b"GGUF" + bytes(1000))
        return path
    width, vocabulary = 32, 64
    writer: Any = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 2)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"t{number}" for number in range(vocabulary)])
    writer.add_token_scores([0.0] * vocabulary)
    writer.add_token_types([2, 3, 3, *[1] * (vocabulary - 3)])
    random: Any = numpy.random.default_rng(1)
    sizes = {"token_embd": (vocabulary, width), "output": (vocabulary, width), "output_norm": (width,)}
    sizes |= {f"blk.0.{name}_norm": (width,) for name in ("attn", "ffn")}
    square = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    sizes |= {f"blk.0.{name}": (width, width) for name in square}
    for name, size in sizes.items():
        writer.add_tensor(f"{name}.weight", random.standard_normal(size, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def llama(library: Callable[[str, dict[str, str]], tuple[Any, bool]]) -> Generator[Any]:
    """The class, hooked."""
    instrumentor = LlamaCppInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield library("llama_cpp", shapes.LLAMA_CPP)[0].Llama
    instrumentor.uninstrument()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(write_gguf(tmp_path / "tiny.gguf"))


def loaded(captured: testing.Captured) -> float:
    return captured.value("llm_router.models.loaded", format="gguf")


def test_a_load_and_its_end(llama: Any, path: str, captured: testing.Captured) -> None:
    model = llama(model_path=path, n_ctx=32, verbose=False)
    assert captured.value("llm_router.models.loaded", format="gguf", size_category="small") == 1
    assert captured.count("llm_router.model.load.duration", model="tiny.gguf", format="gguf") == 1
    memory = captured.value("llm_router.model.memory", model="tiny.gguf", format="gguf")
    assert 1000 < memory <= Path(path).stat().st_size
    model.close()
    assert loaded(captured) == 0
    assert captured.points("llm_router.model.memory") == []
    model.close()
    del model
    gc.collect()
    assert loaded(captured) == 0


def test_a_model_that_nobody_closes(llama: Any, path: str, captured: testing.Captured) -> None:
    model = llama(path, n_ctx=32, verbose=False)
    assert loaded(captured) == 1
    del model
    gc.collect()
    assert loaded(captured) == 0


def test_two_of_one_model(llama: Any, path: str, captured: testing.Captured) -> None:
    first = llama(path, n_ctx=32, verbose=False)
    memory = captured.value("llm_router.model.memory")
    second = llama(path, n_ctx=32, verbose=False)
    assert (loaded(captured), captured.value("llm_router.model.memory")) == (1, 2 * memory)
    first.close()
    assert (loaded(captured), captured.value("llm_router.model.memory")) == (1, memory)
    second.close()
    assert loaded(captured) == 0
    assert captured.points("llm_router.model.memory") == []


@pytest.mark.parametrize("missing", [True, False])
def test_failures(missing: bool, llama: Any, tmp_path: Path, captured: testing.Captured) -> None:
    broken = tmp_path / "broken.gguf"
    if not missing:
        broken.write_bytes(b"no model" * 100)
    with pytest.raises(ValueError, match=r"broken\.gguf"):
        llama(model_path=str(broken), verbose=False)
    assert captured.value("llm_router.errors", component="model") == 1
    assert captured.points("llm_router.models.loaded") == []
    assert captured.points("llm_router.model.load.duration") == []


def test_without_us(library: Any, path: str, captured: testing.Captured) -> None:
    llama: Any = library("llama_cpp", shapes.LLAMA_CPP)[0].Llama
    kept = cast("dict[str, Any]", vars(llama))
    before = [kept[name] for name in ("__init__", "close")]
    instrumentor = LlamaCppInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    instrumentor.uninstrument()
    kept = cast("dict[str, Any]", vars(llama))
    assert [kept[name] for name in ("__init__", "close")] == before
    llama(path, n_ctx=32, verbose=False).close()
    assert captured.points("llm_router.models.loaded") == []
