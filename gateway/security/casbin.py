"""Casbin decides: its own library (pycasbin), by a model and a policy in its own formats.

The model says what it wants to know about a call, by the names in its request definition:

| name | what it is |
| --- | --- |
| `sub` | the subject of the identity; `anonymous` for an anonymous caller |
| `roles` | its roles, each with `role:` in front, to be used as in `p.sub in r.roles` |
| `obj` | the target, as in `Invoices.total` |
| `act` | always `call` |
| `issuer`, `scheme` | of the identity |

Roles come with the identity (`roles`), or from the policy's own `g` lines, or both: the matcher says so. A subject that
begins with `role:` is refused, so that nobody can be named like a role.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

import trio

from ..tables import nearest
from .errors import SecurityError
from .plugins import Authoriser, Permission, Refusal, Request
from .watched import File, Watched

ELEMENTS: Final = ("sub", "roles", "obj", "act", "issuer", "scheme")
"""What a request definition may name."""

INLINE: Final = 100
"""Rules up to which a decision is made at once; above, in a thread.

Measured with CPython 3.11: about 60 µs for a decision and 9 µs for each rule, so 100 rules are under a millisecond (a
thread costs a tenth of that), and 10,000 rules hold a processor for a tenth of a second.
"""

_ROLE: Final = "role:"
_SUBJECTS: Final = 1_000  # distinct ones, after which what pycasbin keeps about them is thrown away


class _Enforcer(Protocol):
    """What is used of `casbin.Enforcer`, which has no types."""

    rm_map: dict[str, object]

    def enforce_ex(self, *request: object) -> tuple[bool, list[str]]: ...

    def build_role_links(self) -> None: ...


class _Policy:
    """A model and a policy, loaded."""

    def __init__(self, enforcer: _Enforcer, elements: Sequence[str], rules: int) -> None:
        self.rules = rules
        self._enforcer = enforcer
        self._elements = elements
        self._subjects: set[str] = set()

    def decide(self, known: dict[str, object]) -> tuple[bool, list[str]]:
        """Whether the call is allowed, and the rule that says so. For one thread at a time."""
        self._forget(cast("str", known["sub"]))
        return self._enforcer.enforce_ex(*[known[element] for element in self._elements])

    def _forget(self, subject: str) -> None:
        """Keep the memory bounded: its role managers remember every subject that they were ever asked about."""
        self._subjects.add(subject)
        if len(self._subjects) > _SUBJECTS:
            self._subjects = {subject}
            if self._enforcer.rm_map:
                self._enforcer.build_role_links()


class CasbinAuthoriser(Authoriser):
    """Allows what a Casbin model and policy allow; both files are read again when one of them changes.

    `model` is a file in the format of Casbin (`.conf`), `policy` one of lines as `p, role:clerk, Invoices.*, call`.
    Nobody but their owner may be able to write to them. Replace files by renaming a new one over them, so that no half
    of one is read. What changed and can't be used is a warning in the log, and what was read before stays in force.
    `clock` is what the files are looked at by. Needs the package pycasbin. Raises SecurityError for what can't be used,
    with the file and the line of the policy.
    """

    name = "casbin"

    def __init__(self, model: File, policy: File, *, clock: Callable[[], float] = time.monotonic) -> None:
        _library()
        self._policy = Watched(
            (model, policy), functools.partial(_load, model, policy), guarded=True, clock=clock
        )
        self._one = trio.CapacityLimiter(1)  # pycasbin is not made for several threads

    @classmethod
    def from_text(cls, text: str) -> CasbinAuthoriser:
        """The authoriser for a configured `casbin:model.conf,policy.csv`."""
        model, comma, policy = text.partition(",")
        if not (model and comma and policy):
            raise SecurityError("casbin needs its two files, as in casbin:model.conf,policy.csv")
        return cls(model, policy)

    async def authorise(self, request: Request) -> Permission | Refusal:
        """As the model and the policy say."""
        identity = request.identity
        if identity.subject.startswith(_ROLE):
            return Refusal(f"a subject that begins with {_ROLE} could be taken for a role")
        known: dict[str, object] = {
            "sub": identity.subject,
            "roles": tuple(_ROLE + role for role in sorted(identity.roles)),
            "obj": request.target,
            "act": "call",
            "issuer": identity.issuer,
            "scheme": identity.scheme,
        }
        policy = self._policy.value()
        try:
            if policy.rules <= INLINE:
                allowed, rule = policy.decide(known)
            else:
                allowed, rule = await trio.to_thread.run_sync(
                    policy.decide, known, limiter=self._one, abandon_on_cancel=True
                )
        except Exception as error:  # noqa: BLE001 - a model is a program; what it raises may show what it was given
            return Refusal(f"the model can't judge it ({type(error).__name__})")
        by = f"policy {', '.join(rule)}" if rule else "no line of the policy"
        return Permission(by) if allowed else Refusal(by)


def _library() -> Any:
    try:
        import casbin  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise SecurityError(
            "the authoriser casbin needs the package pycasbin; install graftwire[casbin]"
        ) from None
    return casbin


def _load(model_file: File, policy_file: File, contents: Sequence[bytes]) -> _Policy:
    """Both files as one policy, every line of which counts: pycasbin itself passes over what it does not know."""
    casbin = _library()
    model_text, policy_text = (
        _text(file, data) for file, data in zip((model_file, policy_file), contents, strict=True)
    )
    elements = _elements(model_file, model_text)
    lines = _lines(policy_file, policy_text, _model(model_file, model_text))
    try:
        enforcer: _Enforcer = casbin.Enforcer(
            _model(model_file, model_text), casbin.StringAdapter("\n".join(lines))
        )
        policy = _Policy(enforcer, elements, len(lines))
        # a matcher that can't be evaluated is found now, and not at the first call
        policy.decide({"sub": "", "roles": (), "obj": "", "act": "call", "issuer": "", "scheme": ""})
    except Exception as error:
        raise SecurityError(
            f"{model_file} and {policy_file} can't be used together ({type(error).__name__}); check the effect and the "
            "matcher of the model, and that each request and policy element in the matcher is defined"
        ) from error
    return policy


def _text(file: File, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SecurityError(f"{file} is not text in UTF-8; write it in the format of Casbin") from None


def _model(file: File, text: str) -> Any:
    model = _library().Model()
    try:
        model.load_model_from_text(text)
        defined = {section: set(lines) for section, lines in model.items()}
    except Exception as error:
        raise SecurityError(
            f"{file} is not a model of Casbin ({type(error).__name__}); it is sections as [matchers], and in each of "
            "them lines as m = …"
        ) from error
    if any(defined.get(section) != {section} for section in ("r", "p", "e", "m")):
        raise SecurityError(
            f"{file} is not a whole model of Casbin; it has to define r, p, e and m, each of them once, in the "
            "sections request_definition, policy_definition, policy_effect and matchers"
        )
    return model


def _elements(file: File, text: str) -> list[str]:
    tokens = cast("list[str]", _model(file, text)["r"]["r"].tokens)
    elements = [token.removeprefix("r_") for token in tokens]
    for element in elements:
        if element not in ELEMENTS:
            raise SecurityError(
                f"{file}: the request definition has the unknown element {element}; {nearest(element, ELEMENTS)}"
            )
    return elements


def _lines(file: File, text: str, model: Any) -> list[str]:
    """The lines of a policy that say something, each of them understood."""
    add_line: Callable[[str, Any], None] = _library().persist.load_policy_line
    kinds: dict[str, Any] = {"p": model["p"]["p"], **dict(model.items()).get("g", {})}
    tokens = cast("list[str]", kinds["p"].tokens)
    found: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{file}, line {number}:"
        kind = line.partition(",")[0].strip()
        if kind not in kinds:
            raise SecurityError(
                f"{where} it begins with what the model does not define; {nearest(kind, kinds)}"
            )
        try:
            add_line(line, model)
        except Exception as error:
            raise SecurityError(f"{where} its brackets do not match; close them") from error
        values = cast("list[str]", kinds[kind].policy[-1])
        wanted = len(tokens) if kind == "p" else len(kinds[kind].value.split(","))
        if len(values) != wanted or not all(values):
            raise SecurityError(
                f"{where} the model defines {wanted} elements after {kind}, none of them empty"
            )
        if kind == "p" and "p_eft" in tokens and values[tokens.index("p_eft")] not in ("allow", "deny"):
            raise SecurityError(f"{where} the effect is allow or deny")
        found.append(line)
    if not kinds["p"].policy:
        raise SecurityError(f"{file} has no line that begins with p, so it would refuse everything; add one")
    return found
