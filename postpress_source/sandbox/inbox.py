"""Writes chats that look like a real inbox's, row by row, from a seeded random generator."""

from __future__ import annotations

from random import Random

from . import clock
from .store import Chat

PROVIDERS = ("LINKEDIN", "WHATSAPP", "INSTAGRAM", "MESSENGER", "TELEGRAM", "SLACK", "TWITTER")
SPAN_DAYS = 400
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in _BASE32 for b in _BASE32]
_GIVEN = (
    "Ada", "Björn", "Chloé", "Dmitri", "Elif", "Fatima", "Grace", "Håkon", "Inés", "Jordan",
    "Kenji", "Łukasz", "María", "Nguyễn", "Oluwaseun", "Priya", "Quentin", "Renée", "Søren",
    "Tomás", "Ursula", "Yağmur", "Zoë", "Владимир", "Ελένη", "محمد", "דנה", "美咲", "지훈", "อรุณ",
)  # fmt: skip
_FAMILY = (
    "Almeida", "Bauer", "Çelik", "D'Angelo", "Eriksson", "Fernández", "García-López", "Haddad",
    "Ivanov", "Jensen", "Kowalski", "Li", "Müller", "Nakamura", "O'Brien", "Park", "Quiroga",
    "Rossi", "Schmidt", "Tanaka", "Usman", "van der Berg", "Walke", "Yılmaz", "Žižek",
)  # fmt: skip
_ODD_NAMES = (
    "=1+1", "+1-2", "@SUM(A1:A9)", "-2+3", '=HYPERLINK("http://x.invalid","hi")',
    'The "Real" Deal', "Robert'); DROP TABLE chats;--", "two\nlines", "tab\there", "back\\slash",
    "🚀🚀🚀", "👩‍👩‍👧 family", "", " ", "NULL", "null", "0012", "1e5", "ﷺ", "\u202eright to left",
    "e\u0301 and é", "a,b;c|d", "<b>bold</b>", "x" * 300, "\ufeffbom", "𝕋𝕖𝕤𝕥",
)  # fmt: skip
_GROUPS = (
    "Sales EMEA",
    "Family ❤️",
    "Book club",
    "Q3 launch",
    "5-a-side",
    "Eltern 4b",
    "Neighbours",
)
_CUSTOM_FOLDERS = ("Leads", "Follow-up", "Très important", "VIP 🌟", "a/b", "To do, later", "=todo")
_SUBJECTS = ("A role for you", "Quick question", "Re: partnership", "Einladung", 'On "growth"')
_LINKEDIN_FOLDERS = (
    ("INBOX_LINKEDIN_CLASSIC", 0.75),
    ("INBOX_LINKEDIN_SALES_NAVIGATOR", 0.85),
    ("INBOX_LINKEDIN_RECRUITER", 0.93),
    ("INBOX_LINKEDIN_ORGANIZATION", 1.0),
)
# How many of 100 messages fall into each hour, UTC: an office day with a lunch dip and an evening.
_HOUR_WEIGHTS = (1, 1, 0, 0, 0, 1, 2, 4, 8, 10, 10, 8, 5, 7, 9, 9, 8, 5, 3, 3, 2, 2, 1, 1)
_HOURS = [hour for hour, weight in enumerate(_HOUR_WEIGHTS) for _ in range(weight)]


def new_id(prefix: str, at: int, rng: Random) -> str:
    """``prefix`` and 26 ULID-like characters: the time ``at`` (ms UTC), then 80 random bits."""
    time = "".join(_PAIRS[at >> shift & 1023] for shift in (40, 30, 20, 10, 0))
    bits = rng.getrandbits(80)
    noise = "".join(_PAIRS[bits >> shift & 1023] for shift in (70, 60, 50, 40, 30, 20, 10, 0))
    return prefix + time + noise


def past_moment(rng: Random, now: int) -> int:
    """A moment of plausible activity, ms UTC, at or before ``now``, the recent ones dense."""
    day = (now - int(SPAN_DAYS * clock.DAY_MS * rng.random() ** 3)) // clock.DAY_MS
    weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
    if weekday > 4 and rng.random() < 0.7:
        day -= weekday - 4
    hour = _HOURS[int(rng.random() * len(_HOURS))]
    moment = day * clock.DAY_MS + hour * clock.HOUR_MS + int(rng.random() * clock.HOUR_MS)
    return moment if moment <= now else moment - clock.DAY_MS


def person(rng: Random) -> str:
    """A name; about one in forty is of the kind that breaks spreadsheets and terminals."""
    if rng.random() < 0.025:
        return rng.choice(_ODD_NAMES)
    return f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}"


def custom_folders(rng: Random) -> list[str]:
    """``INBOX`` and one or two folders of somebody's own naming."""
    return ["INBOX", *rng.sample(_CUSTOM_FOLDERS, 1 + (rng.random() < 0.2))]


def write_chat(rng: Random, account_id: str, account_type: str, now: int) -> tuple[Chat, int]:
    """A chat with some history, as the API shows it, and its hidden creation time in ms UTC."""
    activity = past_moment(rng, now)
    created = activity - int(90 * clock.DAY_MS * rng.random() ** 2)
    kind = _kind(rng, account_type)
    chat: Chat = {
        "object": "Chat",
        "id": new_id("chat_", created, rng),
        "account_id": account_id,
        "account_type": account_type,
        "provider_id": f"2-{rng.getrandbits(160):040x}",
    }
    if kind == 0:
        chat["attendee_provider_id"] = f"ACoAA{rng.getrandbits(96):024x}"
    chat |= {
        "name": _name(rng, account_type, kind),
        "type": kind,
        "timestamp": None if rng.random() < 0.01 else clock.to_text(activity),
        "unread_count": _unread(rng, now - activity),
        "archived": int(rng.random() < 0.12),
        "muted_until": _muted(rng, now),
        "read_only": 0 if rng.random() < 0.96 else 1 + (rng.random() < 0.3),
    }
    if account_type == "LINKEDIN":
        _add_linkedin(rng, chat)
    else:
        _add_folders(rng, chat)
    if rng.random() < 0.05:
        chat["disabledFeatures"] = rng.choice(
            (["reactions"], ["reply"], ["reactions", "reply"], [])
        )
    chat["pinned"] = int(rng.random() < 0.03)
    return chat, created


def _kind(rng: Random, account_type: str) -> int:
    draw = rng.random()
    if account_type == "SLACK":
        return 0 if draw < 0.4 else 1
    return 0 if draw < 0.85 else 1 if draw < 0.97 else 2


def _name(rng: Random, account_type: str, kind: int) -> str | None:
    if rng.random() < 0.02:
        return None
    if kind:
        return rng.choice(_GROUPS)
    if account_type == "WHATSAPP" and rng.random() < 0.2:
        return f"+{rng.randrange(10**10, 10**12)}"
    return person(rng)


def _unread(rng: Random, age: int) -> int:
    draw = rng.random()
    if draw < 0.002:
        return 4_000_000_000 + rng.randrange(300_000_000)
    if draw < 0.012:
        return -1
    backlog = 0.45 if age < 2 * clock.DAY_MS else 0.15
    return int(rng.paretovariate(1.1)) if draw < backlog else 0


def _muted(rng: Random, now: int) -> int | str | None:
    draw = rng.random()
    if draw < 0.94:
        return None
    if draw < 0.98:
        return -1
    return clock.to_text(now + int((rng.random() - 0.3) * 30 * clock.DAY_MS))


def _add_linkedin(rng: Random, chat: Chat) -> None:
    draw = rng.random()
    folder = next(name for name, up_to in _LINKEDIN_FOLDERS if draw < up_to)
    chat["folder"] = ["INBOX", folder]
    if folder == "INBOX_LINKEDIN_ORGANIZATION":
        number = rng.randrange(10**6, 10**8)
        chat["organization_id"] = str(number)
        chat["mailbox_id"] = f"urn:li:fsd_company:{number}"
    draw = rng.random()
    if draw < 0.17:
        content = "inmail" if draw < 0.1 else "sponsored" if draw < 0.15 else "linkedin_offer"
        chat["content_type"] = content
        chat["subject"] = rng.choice(_SUBJECTS)


def _add_folders(rng: Random, chat: Chat) -> None:
    draw = rng.random()
    if draw < 0.75:
        chat["folder"] = ["INBOX"]
    elif draw < 0.83:
        chat["folder"] = custom_folders(rng)
    elif draw < 0.86:
        chat["folder"] = []
