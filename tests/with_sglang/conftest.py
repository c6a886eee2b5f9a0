"""SGLang as far as it runs without a GPU: its own registry, queue and grammar classes; the embedded tokenizer.

Without SGLang installed the tests of this folder are skipped; `make test-sglang` runs them in a venv that has it.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from agentic_dsl.errors import ModelError
from agentic_dsl.runtime.models import require_model

VOCAB_SIZE = 49_152
ENDS = {2}

Serve = Callable[..., AbstractContextManager[Any]]

with warnings.catch_warnings(), suppress(ImportError):
    warnings.simplefilter("ignore")  # SGLang and what it imports warn while they are imported
    importlib.import_module("sglang.srt.constrained.grammar_manager")
    importlib.import_module("sglang.srt.sampling.sampling_batch_info")
    importlib.import_module("sglang.srt.entrypoints.openai.protocol")


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """As SGLang loads it."""
    from transformers import AutoTokenizer

    try:
        folder = require_model("smollm2")
    except ModelError as exc:
        pytest.skip(str(exc))
    return AutoTokenizer.from_pretrained(str(folder))


@pytest.fixture(scope="session")
def serve() -> Serve:
    """A published configuration, without what SGLang derives from a model's files by modules that need torchvision."""
    from sglang.srt import runtime_context
    from sglang.srt.plugins import load_plugins
    from sglang.srt.server_args import ServerArgs

    load_plugins()

    @contextmanager
    def publish(**fields: Any) -> Iterator[Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runtime_context, "_install_derived_leaves", lambda *_: None)
            args = ServerArgs(model_path="none", **{"grammar_backend": "agentic-dsl", **fields})
            runtime_context.get_context().set_server_args(args)
        with runtime_context.get_parallel().override(pp_rank=0, pp_size=1):
            yield args

    return publish


@pytest.fixture(scope="session")
def backend(serve: Serve, tokenizer: Any) -> Any:
    """What SGLang's registry makes for ``--grammar-backend agentic-dsl``."""
    from sglang.srt.constrained.base_grammar_backend import create_grammar_backend

    with serve() as args:
        return create_grammar_backend(args, tokenizer, VOCAB_SIZE, ENDS)


@pytest.fixture
def manager(serve: Serve, tokenizer: Any) -> Iterator[Any]:
    """SGLang's own queue of grammars; of the scheduler it asks for these attributes only."""
    from sglang.srt.constrained.grammar_manager import GrammarManager

    group = SimpleNamespace(world_size=1, first_rank=0, is_first_rank=True)
    model = SimpleNamespace(vocab_size=VOCAB_SIZE, hf_eos_token_id=ENDS, think_end_ids=None)
    with serve() as args:
        scheduler = SimpleNamespace(
            server_args=args,
            tokenizer=tokenizer,
            model_config=model,
            dp_tp_cpu_group=None,
            dp_tp_group=group,
            pp_group=None,
        )
        yield GrammarManager(scheduler)  # type: ignore[arg-type]
