"""Packages of the shape of llama-cpp-python and transformers, for where the libraries are not installed.

What they have in common with the libraries is what the hooks touch; that the libraries have it, the same tests
show where they are installed: ``scripts/test --loaders``.
"""

from __future__ import annotations

from pathlib import Path

LLAMA_CPP = {
    "llama_cpp/__init__.py": "from .llama import *\n__version__ = '0.3.0'\n",
    "llama_cpp/llama.py": """
import contextlib, os

class LlamaModel:
    def __init__(self, path):
        with open(path, "rb") as file:
            found = file.read()
        if not found.startswith(b"GGUF"):
            raise ValueError(f"Failed to load model from file: {path}")
        self.bytes = len(found)

    def size(self):
        return self.bytes

    def close(self):
        pass

class Llama:
    def __init__(self, model_path, *, n_ctx=512, verbose=True, **kwargs):
        self._stack = contextlib.ExitStack()
        if not os.path.exists(model_path):
            raise ValueError(f"Model path does not exist: {model_path}")
        self.model_path = model_path
        self._model = self._stack.enter_context(contextlib.closing(LlamaModel(model_path)))

    def close(self):
        self._stack.close()

    def __del__(self):
        self.close()
""",
}
TRANSFORMERS = {
    "transformers/__init__.py": """
__version__ = "5.0.0"

from importlib import import_module

def __getattr__(name):
    for module in ("modeling_utils", "auto"):
        found = vars(import_module("transformers." + module)).get(name)
        if found is not None:
            return found
    raise AttributeError(name)
""",
    "transformers/modeling_utils.py": """
import os

class PreTrainedModel:
    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, use_safetensors=None, **kwargs):
        if not os.path.isdir(pretrained_model_name_or_path):
            raise OSError(f"{pretrained_model_name_or_path} is not a local folder")
        model = cls()
        if kwargs.pop("output_loading_info", False):
            return model, {"missing_keys": set()}
        return model

    def get_memory_footprint(self, return_buffers=True):
        return 6112

class GPT2LMHeadModel(PreTrainedModel):
    pass
""",
    "transformers/auto.py": """
from transformers.modeling_utils import GPT2LMHeadModel

class AutoModelForCausalLM:
    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, **kwargs):
        return GPT2LMHeadModel.from_pretrained(pretrained_model_name_or_path, *model_args, **kwargs)

class _Pipeline:
    def __init__(self, model):
        self.model = model

def pipeline(task, model=None, **kwargs):
    return _Pipeline(AutoModelForCausalLM.from_pretrained(model) if isinstance(model, str) else model)
""",
}


def write(directory: Path, files: dict[str, str]) -> None:
    """Write a package of these files."""
    for name, text in files.items():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
