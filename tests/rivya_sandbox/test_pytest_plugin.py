"""The pytest plugin in separate projects: it does nothing until a test requests its fixture."""

import pytest

pytest_plugins = ["pytester"]
INI = "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"


@pytest.fixture
def project(pytester):
    """A separate project."""
    pytester.makefile(".ini", pytest=INI)
    return pytester


def test_a_chain_talks_to_the_sandbox_without_a_key(project):
    """Models without a key and a URL use the fixture's sandbox."""
    project.makepyfile(
        """
        from langchain_rivya import ChatRivya

        def test_chain(rivya_sandbox):
            rivya_sandbox.answer("Good morning, Ada.")

            assert ChatRivya().invoke("I am Ada.").text == "Good morning, Ada."
            assert [turn.context[-1].text for turn in rivya_sandbox.journal.turns] == ["I am Ada."]
        """
    )

    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_every_test_finds_the_sandbox_as_new_and_the_environment_as_it_was(project):
    """Answers, journal and credits of one test are gone in the next, and so are the variables."""
    project.makepyfile(
        """
        import os

        def test_one(rivya_sandbox):
            rivya_sandbox.answer("never asked for")
            rivya_sandbox.set_credits(1)
            assert os.environ["GMI_BASE_URL"] == rivya_sandbox.gmi_url
            assert os.environ["EVOLINK_API_KEY"] == rivya_sandbox.api_key

        def test_two():
            assert not {name for name in os.environ if name.startswith(("RIVYA_", "EVOLINK_", "GMI_"))}

        def test_three(rivya_sandbox):
            assert rivya_sandbox.credits() == 1_000_000
            assert rivya_sandbox.journal.requests == []
        """
    )

    project.runpytest_inprocess().assert_outcomes(passed=3)


def test_options_of_the_sandbox_come_from_a_fixture_of_the_project(project):
    """A project chooses, for instance, in which form chat is streamed."""
    project.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def rivya_sandbox_options():
            return {"dialect": "openai", "credits": 7}
        """
    )
    project.makepyfile(
        """
        def test_options(rivya_sandbox):
            assert (rivya_sandbox.dialect, rivya_sandbox.credits()) == ("openai", 7)
        """
    )

    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_project_that_does_not_ask_for_it_pays_nothing(project):
    """Without the fixture no server is imported, no port opened and no variable set."""
    project.makepyfile(
        """
        import os, sys, threading

        def test_nothing_is_loaded():
            assert "rivya_sandbox.pytest_plugin" in sys.modules
            assert not {"starlette", "uvicorn", "httpx", "PIL", "rivya_sandbox.sandbox"} & set(sys.modules)
            assert "RIVYA_API_KEY" not in os.environ
            assert not [one.name for one in threading.enumerate() if one.name.startswith("rivya-sandbox")]
        """
    )

    project.runpytest_subprocess("-p", "no:langsmith_plugin", "-p", "no:respx").assert_outcomes(passed=1)


def test_the_fixture_can_be_hidden(project):
    """`-p no:rivya_sandbox` leaves pytest as if the plugin were not installed."""
    project.makepyfile("def test_it(rivya_sandbox): pass")

    result = project.runpytest_subprocess("-p", "no:rivya_sandbox")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'rivya_sandbox' not found*"])
