from art_training.records.counted import counted


def test_one_of_a_thing_is_no_several() -> None:
    assert [counted(number, "run") for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert [counted(number, "example") for number in ("1", "1,200")] == ["1 example", "1,200 examples"]
