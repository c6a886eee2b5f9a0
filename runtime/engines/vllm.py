"""vLLM in this process: its scheduler, its prefix cache, and our matcher through the plug-in.

Every request goes to vLLM at once, from all callers together; vLLM batches what is there at each step. A contract
travels in the grammar's comment as it would to a server, so what is tested here is what a server does.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from agentic_dsl.errors import AgenticDSLError, GenerationError, MissingExtraError, ModelError
from agentic_dsl.runtime.engines.base import (
    Capabilities,
    EngineRequest,
    EngineResult,
    OnToken,
    Sampling,
)
from agentic_dsl.runtime.engines.limits import answer_limit
from agentic_dsl.runtime.engines.vllm_answers import Answer, Call, LoopOutbox, request_error
from agentic_dsl.runtime.engines.vllm_loop import EngineLoop, Job, Outbox
from agentic_dsl.runtime.models import MODELS, require_model
from agentic_dsl.runtime.prompt_tokens import prompt_token_ids
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.wire import with_contract

_log = logging.getLogger(__name__)

DEFAULT_MODEL = "smollm2"

_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # "in process" means this one
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
_CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; vLLM's own default takes half of the memory
    "VLLM_HOST_IP": "127.0.0.1",
}
"""Set where nothing else is set; vLLM reads them from the environment only."""


class VllmEngine:
    """A model in vLLM. Safe to call from several threads, whose requests are then batched together.

    Attributes:
        loop: the thread that owns vLLM's engine; `EngineLoop.call` does something with it between two steps.
        config: vLLM's, never changed.
    """

    def __init__(self, model: str | Path | None = None, *, semantic: bool = True, **options: Any) -> None:
        """Starts vLLM, which takes some 20 seconds or more.

        Args:
            model: an embedded model's name, a folder, or a hub repository; None is ``smollm2``.
            semantic: hold answers to all the rules while they are written, where the plug-in is active; False
                enforces the grammar alone.
            options: of vLLM's ``EngineArgs``, such as ``max_model_len`` or ``speculative_config``. Defaults of ours
                are ``scheduling_policy="priority"``, the structured-output back end xgrammar and, on a CPU,
                ``dtype="bfloat16"``, ``enforce_eager=True`` and ``enable_chunked_prefill=False``.

        Raises:
            MissingExtraError: vLLM is not installed.
            ModelError: the model is missing, or vLLM cannot run it; the log has vLLM's own words.
            TokenizerError: its tokenizer is missing or has no end token.
        """
        name = str(model or DEFAULT_MODEL)
        location = str(require_model(name)) if name in MODELS else name
        self.model_name = name
        self._options = " ".join(f"{key}={value}" for key, value in sorted(options.items()))
        self.tokenizer: Tokenizer = load_tokenizer(location)
        self._semantic = semantic
        self._numbers = itertools.count()
        self.loop = EngineLoop(lambda: _make(name, location, options), _shut_down)
        engine = self.loop.engine
        self._engine_tokenizer = engine.tokenizer
        self.config = engine.vllm_config
        self.context_tokens: int = self.config.model_config.max_model_len
        self._plugin = _plugin_is_active(self.config)

    @property
    def name(self) -> str:
        """See `Engine.name`."""
        return f"vllm/{self.model_name}"

    @property
    def identity(self) -> str:
        """See `Engine.identity`: all options of vLLM, of which most change nothing."""
        return f"{self.name} {self._options}"

    @property
    def capabilities(self) -> Capabilities:
        """See `Engine.capabilities`; what vLLM was configured to do, and whether the plug-in is active in it."""
        return Capabilities(
            supports_streaming=True,
            supports_prefix_caching=bool(self.config.cache_config.enable_prefix_caching),
            supports_overlay=self._semantic and self._plugin,
            supports_priority=self.config.scheduler_config.policy == "priority",
        )

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`."""
        outbox: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        call = self._call(requests, outbox)
        with self._running(call):
            while call.waiting:
                call.take(*outbox.get(), on_token)
        return call.ordered()

    async def agenerate(
        self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None
    ) -> list[EngineResult]:
        """See `Engine.agenerate`. No thread waits, so any number of calls may; ``on_token`` runs in the event loop."""
        inbox: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        outbox = LoopOutbox(asyncio.get_running_loop(), inbox)
        call = await asyncio.to_thread(self._call, requests, outbox)
        with self._running(call):
            while call.waiting:
                call.take(*await inbox.get(), on_token)
        return call.ordered()

    def close(self) -> None:
        """See `Engine.close`: ends vLLM; requests that are open get an error."""
        self.loop.close()

    def _call(self, requests: Sequence[EngineRequest], outbox: Outbox) -> Call:
        """What vLLM is to be asked; requests that cannot begin have their results already."""
        call = Call(len(requests))
        for row, request in enumerate(requests):
            try:
                answer, arguments = self._begin(request)
            except AgenticDSLError as exc:
                call.results[row] = EngineResult.failed(request_error(exc))
            else:
                call.answers[row] = answer
                call.jobs.append(Job(row, f"agentic-dsl-{next(self._numbers)}", arguments, outbox))
        return call

    @contextmanager
    def _running(self, call: Call) -> Iterator[None]:
        """Hands the jobs over; whatever ends the caller ends them."""
        self.loop.submit(call.jobs)
        try:
            yield
        except BaseException:
            self.loop.abort([job.request_id for job in call.jobs])
            raise

    def _begin(self, request: EngineRequest) -> tuple[Answer, dict[str, Any]]:
        """The answer that will grow, and the arguments of vLLM's ``add_request``."""
        prompt = prompt_token_ids(request.prompt, self.tokenizer)
        limit = answer_limit(len(prompt), request, self.context_tokens)
        grammar = self._grammar(request, limit)
        overlay = grammar is not None and self._overlay_writes(grammar)
        tokens: dict[str, Any] = {"prompt_token_ids": list(prompt)}
        arguments: dict[str, Any] = {"prompt": tokens, "priority": request.priority}
        arguments["params"] = _sampling_params(request.sampling, limit, grammar)
        if request.hints is not None:
            if request.hints.cache_salt:
                tokens["cache_salt"] = request.hints.cache_salt
            if request.hints.session:
                arguments["session_id"] = request.hints.session
        return Answer(self.tokenizer, prompt, overlay), arguments

    def _grammar(self, request: EngineRequest, limit: int) -> str | None:
        if request.spec is None:
            return None
        if request.spec.dialect != "xgrammar":
            raise GenerationError(
                f'the grammar is in the dialect "{request.spec.dialect}"',
                help='compile the constraints with dialect="xgrammar"',
            )
        return with_contract(request.spec, max_output_tokens=limit, semantic=self._semantic)

    def _overlay_writes(self, grammar: str) -> bool:
        """Whether the plug-in will enforce this contract with our matcher; compiled here, it finds it in memory.

        Raises:
            ConstraintError: the contract is beyond the plug-in's limits, or nothing satisfies it.
        """
        if not self._plugin:
            return False
        from agentic_dsl.runtime.plugins.vllm_backend import contract_outcome

        model = self.config.model_config
        return contract_outcome(grammar, model, self._engine_tokenizer, model.get_vocab_size()) == "overlay"


def _make(name: str, location: str, options: Mapping[str, Any]) -> Any:
    """Starts vLLM and gives its engine."""
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    try:
        from vllm import EngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.llm_engine import LLMEngine
    except ImportError as exc:
        raise MissingExtraError.beside("vLLM") from exc
    defaults: dict[str, Any] = {
        "scheduling_policy": "priority",
        "structured_outputs_config": {"backend": "xgrammar"},
        "disable_log_stats": True,
    }
    if current_platform.is_cpu():
        for variable, value in _CPU_ENVIRONMENT.items():
            os.environ.setdefault(variable, value)
        defaults |= {"dtype": "bfloat16", "enforce_eager": True, "distributed_executor_backend": "uni"}
        # With a prompt cut in two, a request that has a seed ends vLLM 0.32 on the CPU, whose random numbers it cannot
        # take back.
        defaults["enable_chunked_prefill"] = False
    with _model_errors(name):
        return LLMEngine.from_engine_args(EngineArgs(model=location, **(defaults | dict(options))))


@contextmanager
def _model_errors(name: str) -> Iterator[None]:
    """The boundary to vLLM's start, which raises what its many parts raise."""
    try:
        yield
    except Exception as exc:
        reason = next(iter(str(exc).strip().splitlines()), "") or type(exc).__name__
        raise ModelError(
            f'vLLM cannot run the model "{name}": {reason[:200]}',
            help="look at the options and at the log: vLLM says there what it lacks",
        ) from exc


def _shut_down(engine: Any) -> None:
    try:
        engine.engine_core.shutdown()
        from vllm.distributed import cleanup_dist_env_and_memory

        # What vLLM keeps for the whole process would stand in the way of the next engine.
        cleanup_dist_env_and_memory()
    except Exception:  # it is on its way out, and there is nobody to tell
        _log.debug("vLLM did not end cleanly", exc_info=True)


def _plugin_is_active(config: Any) -> bool:
    """Whether vLLM has loaded our plug-in and runs the back end that it extends."""
    from agentic_dsl.runtime.plugins.vllm_plugin import plugin_state

    return plugin_state().active and config.structured_outputs_config.backend == "xgrammar"


def _sampling_params(sampling: Sampling, limit: int, grammar: str | None) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        seed=sampling.seed,
        max_tokens=limit,
        structured_outputs=None if grammar is None else StructuredOutputsParams(grammar=grammar),
        output_kind=RequestOutputKind.DELTA,
        detokenize=False,  # our tokenizer spells the tokens, exactly
    )


__all__ = ["DEFAULT_MODEL", "VllmEngine"]
