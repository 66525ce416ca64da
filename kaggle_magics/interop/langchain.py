"""A LangChain chat model on the session's model: `prompt | session.as_langchain() | parser`.

Importing this file imports langchain-core; `Session.as_langchain` does so when it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import fields, replace
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list, run_in_executor

from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.models.request import Message, Request, Role, Sampling

_ROLES: dict[str, Role] = {"system": "system", "human": "user", "ai": "assistant"}
_OPTIONS = frozenset(option.name for option in fields(Sampling))

_finished: ContextVar[Answer | None] = ContextVar("_finished", default=None)
"""The answer of a batch's row, while LangChain runs that row's callbacks."""


class SessionChatModel(BaseChatModel):
    """Streams from the session's model; one request at a time, whatever LangChain runs in parallel.

    `batch` is one table of requests for the engine, which reads what they have in common once.
    """

    session: Any
    """A `kaggle_magics.session.Session`."""
    model: str | None = None
    """Name of a loaded model; None is the current one at the time of each call."""
    system: str | None = None
    """System text put before conversations that have none."""
    sampling: Sampling = Sampling()

    @property
    def _llm_type(self) -> str:
        return "kaggle_magics"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "system": self.system, "sampling": repr(self.sampling)}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        """What LangChain's tracers note of a call."""
        sampling = self._sampling(stop, kwargs)
        return LangSmithParams(
            ls_provider="kaggle_magics",
            ls_model_name=kwargs.get("model") or self.model or "current",
            ls_model_type="chat",
            ls_temperature=sampling.temperature,
            ls_max_tokens=sampling.max_tokens,
            ls_stop=list(sampling.stop) or None,
        )

    def get_num_tokens(self, text: str) -> int:
        return int(self.session.model(self.model).count_tokens(text))

    def batch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Answer many inputs at once; `max_concurrency` has no meaning here."""
        if len(inputs) < 2:
            return list(super().batch(inputs, config, return_exceptions=return_exceptions, **kwargs))
        sampling = self._sampling(kwargs.get("stop"), kwargs)
        requests = [Request(self._turns(self._convert_input(each).to_messages()), sampling) for each in inputs]
        answers = self.session.generate_many(requests, model=kwargs.get("model") or self.model)
        replies = []
        for each, row_config, answer in zip(inputs, get_config_list(config, len(inputs)), answers, strict=True):
            token = _finished.set(answer)
            try:
                replies.append(self.invoke(each, row_config, **kwargs))
            except Exception as error:
                if not return_exceptions:
                    raise
                replies.append(error)
            finally:
                _finished.reset(token)
        return replies

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """As `batch`, in a thread."""
        call = lambda: self.batch(inputs, config, return_exceptions=return_exceptions, **kwargs)  # noqa: E731
        return list(await run_in_executor(None, call))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if (finished := _finished.get()) is not None:
            if finished.stop_reason == "error":
                raise EngineError(finished.text)
            yield _chunk(finished.text, run_manager)
            yield _last_chunk(finished)
            return
        request = Request(self._turns(messages), self._sampling(stop, kwargs))
        with self.session.generating(request, model=kwargs.get("model") or self.model) as running:
            for text in running.generation:
                yield _chunk(text, run_manager)
        yield _last_chunk(running.answer())

    def _sampling(self, stop: Sequence[str] | None, kwargs: Mapping[str, Any]) -> Sampling:
        """The model's own options with those of one call over them."""
        given = {name: value for name, value in kwargs.items() if name in _OPTIONS and name != "stop"}
        return replace(self.sampling, **given, stop=(*self.sampling.stop, *(stop or ())))

    def _turns(self, messages: Sequence[BaseMessage]) -> tuple[Message, ...]:
        turns = [Message(_role(message), str(message.text)) for message in messages]
        if self.system and all(turn.role != "system" for turn in turns):
            turns.insert(0, Message("system", self.system))
        return tuple(turns)


def _chunk(text: str, run_manager: CallbackManagerForLLMRun | None) -> ChatGenerationChunk:
    chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
    if run_manager:
        run_manager.on_llm_new_token(text, chunk=chunk)
    return chunk


def _last_chunk(answer: Answer) -> ChatGenerationChunk:
    """What LangChain wants to know at the end."""
    usage = UsageMetadata(
        input_tokens=answer.usage.prompt_tokens,
        output_tokens=answer.usage.generated_tokens,
        total_tokens=answer.usage.prompt_tokens + answer.usage.generated_tokens,
    )
    metadata = {"stop_reason": answer.stop_reason, "model_name": answer.card.model}
    # Where LangChain's own models for reasoning put it.
    more = {"reasoning_content": answer.reasoning} if answer.reasoning else {}
    message = AIMessageChunk(
        content="",
        additional_kwargs=more,
        usage_metadata=usage,
        response_metadata=metadata,
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message)


def _role(message: BaseMessage) -> Role:
    if message.type not in _ROLES:
        raise OptionError(f"A local model cannot be given a LangChain message of type {message.type!r}.")
    if not isinstance(message.content, str) and any(
        isinstance(block, dict) and block.get("type") != "text" for block in message.content
    ):
        raise OptionError("A local text model cannot be given images or other attachments.")
    return _ROLES[message.type]
