"""Groups of one command: chosen by their own name, and other commands' keys stay what they are."""

from lpo.runs.own_groups import folder_of, shown_group, with_own_groups


def test_only_folders_of_the_command_are_groups(tmp_path):
    (tmp_path / "serve" / "instance").mkdir(parents=True)
    given = ["instance=a", "instance.n=1", "+instance=a", "n=3", "plain"]
    assert with_own_groups(tmp_path, "serve", given) == ["serve/instance@instance=a", *given[1:]]
    assert with_own_groups(tmp_path, "allocate", given) == given


def test_names_for_users_and_folders():
    assert shown_group("serve/instance@instance") == "instance"
    assert folder_of("serve/instance@instance") == "serve/instance"
    assert shown_group("tracking") == folder_of("tracking") == "tracking"
