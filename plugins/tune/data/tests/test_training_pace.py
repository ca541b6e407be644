"""How long a training still takes, by a clock that is set by hand."""

from bot_tune.pace import RECENT, Pace


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def steps(pace, clock, *seconds):
    for each in seconds:
        pace.begin()
        clock.now += each
        pace.end()


def test_nothing_is_said_before_a_step_has_ended():
    pace = Pace(Clock())
    pace.evaluated("held_out", 60)
    assert pace.left(10, 3) is None


def test_the_first_evaluation_is_no_step_and_each_further_one_counts():
    clock = Clock()
    pace = Pace(clock)
    clock.now += 60
    pace.evaluated("held_out", 50)
    pace.evaluated("general", 10)
    steps(pace, clock, 2)
    assert pace.left(9, 3) == 9 * 2 + 3 * 60
    pace.evaluated("held_out", 40)  # a machine that is warm now
    assert pace.left(9, 3) == 9 * 2 + 3 * 50
    assert pace.left(0, 0) == 0


def test_a_slow_first_step_counts_only_until_there_is_another():
    clock = Clock()
    pace = Pace(clock)
    steps(pace, clock, 30)
    assert pace.left(10, 0) == 300
    steps(pace, clock, 1, 3)
    assert pace.left(10, 0) == 20


def test_a_machine_that_has_become_slower_is_noticed():
    clock = Clock()
    pace = Pace(clock)
    steps(pace, clock, *[1] * 200, *[4] * RECENT)
    assert pace.left(10, 0) == 40
