"""One base, one thread: many answers at once, token by token.

Each round computes at most one piece of a prompt, and then one token for every answer under way.
So a long prompt holds nobody up for longer than a piece, a new answer joins at the next token, and
one that is cancelled leaves at the next.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import torch

from bot.errors import GenerationError
from bot_transformers.batch import Batch
from bot_transformers.mixing import Mixer, as_batch, virtual_tokens
from bot_transformers.prefixes import Prefixes
from bot_transformers.sampling import log_probabilities
from bot_transformers.waiting import End, Request, Waiting

log = logging.getLogger(__name__)

PIECE = 512  # tokens of a prompt that are computed before the others get their next token
_DENSE = 0.75  # prompts are read together when this share of the tokens is no padding


class Reading:
    """Prompts that are being read: what there is of them, and what comes next."""

    def __init__(self, requests: list[Request], batch: Batch, ids: Any, present: Any) -> None:
        self.requests = requests
        self.batch = batch
        self.ids = ids  # (rows, tokens), padded on the left
        self.present = present

    @property
    def done(self) -> bool:
        return bool(self.ids.shape[1] == 0)


class Engine:
    """Answers requests on a thread of its own, over one model.

    Args:
        load: loads the model; called on the thread.
        width: how many answers are written at once.
        queue: how many may wait beside them.
        prefix_bytes: memory for the beginnings of prompts.
        cache_tokens: tokens that all answers may keep together, given the model's first free
            memory; an answer that does not fit waits.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        *,
        width: int = 8,
        queue: int = 32,
        prefix_bytes: int = 0,
        cache_tokens: Callable[[], int] = lambda: 1 << 40,
    ) -> None:
        self._load = load
        self._width = width
        self._waiting = Waiting(queue)
        self._prefixes = Prefixes(prefix_bytes)
        self._cache_tokens = cache_tokens
        self._changed = threading.Condition()
        self._closed = False
        self._broken: GenerationError | None = None
        self._calls: deque[tuple[Callable[[Any, Mixer], Any], Future[Any]]] = deque()
        self._reading: Reading | None = None
        self._rows: list[Request] = []
        self._batch: Batch | None = None
        self.ready = threading.Event()
        self.model: Any = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="inference")
        self._thread.start()

    def submit(self, request: Request) -> bool:
        """Ask for an answer, from any thread; False when the queue is full.

        Raises:
            GenerationError: the model could not be loaded, or the engine is closed.
        """
        with self._changed:
            self._check()
            busy = len(self._rows) + (len(self._reading.requests) if self._reading else 0)
            taken = self._waiting.put(request, max(0, self._width - busy))
            self._changed.notify()
        return taken

    def call(self, work: Callable[[Any, Mixer], Any]) -> Future[Any]:
        """Do something else with the model on its thread, between two tokens, from any thread.

        Raises:
            GenerationError: as `submit` does.
        """
        done: Future[Any] = Future()
        with self._changed:
            self._check()
            self._calls.append((work, done))
            self._changed.notify()
        return done

    def _check(self) -> None:
        if self._broken is not None:
            raise GenerationError(str(self._broken)) from self._broken
        if self._closed:
            raise GenerationError("The model is being closed; ask again when the bot is back.")

    @property
    def failed(self) -> bool:
        """Whether the model could not be loaded."""
        return self._broken is not None

    def close(self) -> None:
        """End the thread, after the token that it computes; answers under way fail."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(10)

    # -- on the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self.model = self._load()
            self._mixer = Mixer(self.model)
            self._room = self._cache_tokens()
        except BaseException as error:  # whatever it is, those who wait must be told
            self._broken = _as_ours(error)
            self._fail(self._everybody(), self._broken)
            self._fail_calls(self._broken)
            return
        finally:
            self.ready.set()
        with torch.inference_mode():
            while self._next():
                try:
                    self._round()
                except Exception as error:
                    log.error("inference failed: %s", error, exc_info=error)
                    self._fail(self._under_way(), _as_ours(error))
        closed = GenerationError("The model was closed while it answered.")
        self._fail(self._everybody(), closed)
        self._fail_calls(closed)
        self.model = None

    def _next(self) -> bool:
        """Wait for work, and take what may begin; False when there is to be no more."""
        with self._changed:
            while not (self._closed or self._rows or self._reading or self._waiting.first()
                       or self._calls):  # fmt: skip
                self._mixer.forget()
                self._changed.wait()
            if self._closed:
                return False
            chosen = self._chosen() if self._reading is None else []
        if chosen:
            self._reading = self._begun(chosen)
        return True

    def _chosen(self) -> list[Request]:
        """Take requests that can be read together: of about the same length, within the room."""
        chosen: list[Request] = []
        used = sum(len(row.tokens) + row.limit for row in self._rows)
        while len(self._rows) + len(chosen) < self._width:
            one = self._waiting.first()
            if one is None:
                break
            used += len(one.tokens) + one.limit
            if used > self._room and (self._rows or chosen):
                break
            alone = self._alone(one)
            if chosen and (alone or not _alike([*chosen, one])):
                break
            chosen.append(self._waiting.take())
            if alone:
                break
        return chosen

    def _alone(self, request: Request) -> bool:
        """Whether a prompt begins with something that only it has."""
        return virtual_tokens(request.adapter) > 0 or self._known(request) is not None

    def _known(self, request: Request) -> Batch | None:
        return self._prefixes.longest(_key(request), request.tokens)

    def _begun(self, chosen: list[Request]) -> Reading:
        device = self.model.device
        first = chosen[0]
        if virtual_tokens(first.adapter):
            batch = self._prompted(first)
        elif (known := self._known(first)) is not None and len(chosen) == 1:
            batch, first.reused = known, known.length
        else:
            batch = Batch.empty(len(chosen), device)
        rest = [list(request.tokens)[request.reused :] for request in chosen]
        length = max(map(len, rest))
        ids = [[0] * (length - len(row)) + row for row in rest]
        present = [[0] * (length - len(row)) + [1] * len(row) for row in rest]
        as_tensor = torch.as_tensor
        return Reading(
            chosen, batch, as_tensor(ids, device=device), as_tensor(present, device=device)
        )

    def _prompted(self, request: Request) -> Batch:
        """A tuned prompt's own keys and values, which stand before the request's tokens."""
        assert request.adapter is not None
        embeddings = as_batch(request.adapter)
        batch = Batch.empty(1, self.model.device)
        present = torch.ones(embeddings.shape[:2], dtype=torch.long, device=self.model.device)
        self._mixer.compose([None])
        batch.forward(self.model, None, present, embeddings)
        return batch

    def _round(self) -> None:
        self._called()
        self._drop_cancelled()
        if self._reading is not None:
            self._read(self._reading)
        if self._rows:
            self._write()

    def _called(self) -> None:
        """Do one of the calls that wait; how it fails is its caller's alone."""
        with self._changed:
            work, done = self._calls.popleft() if self._calls else (None, Future[Any]())
        if work is None or not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(work(self.model, self._mixer))
        except Exception as error:
            done.set_exception(_as_ours(error))

    def _read(self, reading: Reading) -> None:
        """Compute a piece of the prompts; at their end, the first token of each answer."""
        ids, reading.ids = reading.ids[:, :PIECE], reading.ids[:, PIECE:]
        present, reading.present = reading.present[:, :PIECE], reading.present[:, PIECE:]
        self._mixer.compose([request.adapter for request in reading.requests])
        logits = reading.batch.forward(self.model, ids, present)
        if not reading.done:
            return
        self._reading = None
        for row, request in enumerate(reading.requests):
            if not virtual_tokens(request.adapter):
                pairs = reading.batch.pairs if len(reading.requests) == 1 else None
                self._prefixes.keep(_key(request), request.tokens, pairs or reading.batch.row(row))
        self._rows += reading.requests
        batches = [self._batch, reading.batch] if self._batch is not None else [reading.batch]
        self._batch = Batch.joined(batches)
        self._say(reading.requests, logits)

    def _write(self) -> None:
        """Compute one token for every answer under way."""
        assert self._batch is not None
        last = torch.as_tensor([[row.last] for row in self._rows], device=self.model.device)
        self._mixer.compose([row.adapter for row in self._rows])
        logits = self._batch.forward(self.model, last, torch.ones_like(last))
        self._say(self._rows, logits)

    def _say(self, requests: Sequence[Request], logits: Any) -> None:
        """Tell each request its next token; those that are complete leave."""
        likeliest = logits.argmax(-1).tolist()
        samplers = [request.sampler for request in requests]
        tokens = [
            likeliest[row] if sampler.greedy else sampler.pick(logits[row])
            for row, sampler in enumerate(samplers)
        ]
        logprobs = log_probabilities(logits, tokens)
        for request, token, logprob in zip(requests, tokens, logprobs, strict=True):
            request.last = token
            request.said += token not in request.ends
            if token not in request.ends:
                request.logprobs.append(logprob)
                request.tell(token)
            if token in request.ends or request.said >= request.limit:
                request.cancelled = True  # nothing more is to be computed
                request.tell(End(cut=token not in request.ends, reused=request.reused))
        self._drop_cancelled()

    def _drop_cancelled(self) -> None:
        if self._reading is not None and all(r.cancelled for r in self._reading.requests):
            self._reading = None
        kept = [number for number, row in enumerate(self._rows) if not row.cancelled]
        if len(kept) == len(self._rows):
            return
        self._rows = [self._rows[number] for number in kept]
        if self._batch is not None:
            self._batch = self._batch.select(kept) if kept else None

    def _under_way(self) -> list[Request]:
        found = [*self._rows, *(self._reading.requests if self._reading else ())]
        self._rows, self._reading, self._batch = [], None, None
        return found

    def _everybody(self) -> list[Request]:
        with self._changed:
            return [*self._under_way(), *self._waiting.drain()]

    def _fail(self, requests: Sequence[Request], error: Exception) -> None:
        for request in requests:
            if not request.cancelled:
                request.cancelled = True
                request.tell(error)

    def _fail_calls(self, error: Exception) -> None:
        with self._changed:
            calls = [*self._calls]
            self._calls.clear()
        for _, done in calls:
            if done.set_running_or_notify_cancel():
                done.set_exception(error)


def _alike(requests: Sequence[Request]) -> bool:
    """Whether prompts can be read together without much padding, and in a few pieces."""
    lengths = [len(request.tokens) for request in requests]
    whole = max(lengths) * len(lengths)
    return sum(lengths) >= _DENSE * whole and whole <= 4 * PIECE


def _key(request: Request) -> str:
    return request.adapter.key if request.adapter is not None else ""


def _as_ours(error: BaseException) -> GenerationError:
    if isinstance(error, GenerationError):
        return error
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "not enough memory" in str(error):
        return GenerationError(
            "Memory ran out while the model answered; lower `batch`, `context_limit` or "
            "`prefix_memory`."
        )
    made = GenerationError(f"The model failed: {type(error).__name__}: {error}")
    made.__cause__ = error
    return made
