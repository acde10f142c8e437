"""Groups of one command: chosen by their own name, and other commands' keys stay what they are."""

from lpo.runs.own_groups import folder_of, shown_group, with_own_groups


def test_only_folders_of_the_command_are_groups(tmp_path):
    (tmp_path / "serve" / "instance").mkdir(parents=True)
    given = ["instance=a", "instance.n=1", "+instance=a", "n=3", "plain"]
    assert with_own_groups(tmp_path, "serve", given) == ["serve/instance@instance=a", *given[1:]]
    assert with_own_groups(tmp_path, "allocate", given) == given


def test_a_record_is_merged_into_a_group(tmp_path):
    (tmp_path / "scale" / "scenario").mkdir(parents=True)
    record = "{time_s:20,cost_usd:0.1}"
    given = [f"+scenario.mine={record}", "+scenario.mine.time_s=20", f"scenario.mine={record}"]
    given += [f"+models.mine={record}", f"+scenario.mine.own={record}", f"+scenario={record}"]
    assert with_own_groups(tmp_path, "scale", given) == [f"+scenario={{mine:{record}}}", *given[1:]]
    forced = with_own_groups(tmp_path, "scale", [f"++scenario.mine={record}"])
    assert forced == [f"+scenario={{mine:{record}}}"]


def test_names_for_users_and_folders():
    assert shown_group("serve/instance@instance") == "instance"
    assert folder_of("serve/instance@instance") == "serve/instance"
    assert shown_group("tracking") == folder_of("tracking") == "tracking"
