"""A slot as its runner sees it."""

from __future__ import annotations

import select

from gristmill.service.queue.slots import Slot


def test_a_slot_that_has_died_says_its_last_words_once_and_then_nothing() -> None:
    slot = Slot(1)
    assert select.select([slot.answers], [], [], 60)[0], "it never was ready"
    slot.process.kill()
    assert select.select([slot.process], [], [], 60)[0], "it never died"

    assert [words.get("ready") for words in slot.said()] == [True]
    assert "SIGKILL" in (slot.death() or "")
    slot.close()

    assert list(slot.said()) == []  # it was readable, too, when its death was seen
