"""How events arrive: over sockets or signed HTTP, once or twice, from us or from somebody else."""

import asyncio
import json
import socket
import time

import aiohttp
import pytest
from slack_world import answered, eventually

from bot.testing.fake_slack import FakeSlack, Message


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
async def over_http(port):
    """A Slack that sends signed requests; `slack` of this test."""
    url = f"http://127.0.0.1:{port}/slack/events"
    async with FakeSlack(events_url=url, retry_delays=(0.0, 0.2, 0.2)) as running:
        yield running


class TestSocket:
    async def test_everything_is_acknowledged_even_what_nobody_knows(self, slack, serving):
        async with serving():
            slack.event({"type": "star_added", "user": "U1", "event_ts": "1.0"})
            slack.event(
                {"type": "message", "subtype": "channel_join", "channel": "C1", "ts": "1.1"}
            )
            await slack.settled()
        assert [(one.acked, one.attempts) for one in slack.deliverer.sent] == [(True, 1)] * 2

    async def test_what_comes_again_is_answered_once(self, slack, serving, toy):
        async with serving():
            question = await slack.mention("C1", "U1", "When?")
            for delivery in list(slack.deliverer.sent):
                slack.redeliver(delivery)
            await answered(slack, "C1", question)
            for delivery in list(slack.deliverer.sent):
                slack.redeliver(delivery)
            await slack.settled()
        assert len(toy.turns) == 1
        assert len(slack.answers("C1")) == 1

    async def test_a_retry_of_what_was_never_stored_is_answered(self, slack, serving, toy):
        """The database is away for the first delivery: it must not be acknowledged."""
        async with serving() as bot:
            async with bot.database.connection() as connection:
                await connection.execute("alter table inbox rename to elsewhere")
            question = await slack.mention("C1", "U1", "When?")
            await eventually(lambda: all(one.attempts > 1 for one in slack.deliverer.sent))
            assert not any(one.acked for one in slack.deliverer.sent)
            async with bot.database.connection() as connection:
                await connection.execute("alter table elsewhere rename to inbox")
            for delivery in list(slack.deliverer.sent):
                slack.redeliver(delivery)
            await answered(slack, "C1", question)
        assert len(toy.turns) == 1

    async def test_connections_that_slack_closes_are_opened_again(self, slack, serving, toy):
        async with serving():
            await slack.deliverer.disconnect("abort")
            await slack.connected(2, timeout=60)
            question = await slack.mention("C1", "U1", "When?")
            await answered(slack, "C1", question)
            await slack.deliverer.disconnect("refresh_requested", one=True)
            question = await slack.mention("C1", "U1", "When again?")
            await answered(slack, "C1", question)
            await eventually(lambda: len(slack.deliverer.sockets) == 2)
        assert len(toy.turns) == 2

    async def test_another_workspaces_event_is_left_out(self, slack, serving, toy, caplog):
        async with serving():
            event = {"type": "app_mention", "channel": "C1", "user": "U1", "ts": "1.5",
                     "text": "<@U0BOT> When?"}  # fmt: skip
            delivery = slack.event(event, team_id="T9", authorizations=[{"team_id": "T9"}])
            await slack.settled()
        assert delivery.acked
        assert toy.turns == []
        assert "workspace T9 was left out; we belong to T1" in caplog.text

    async def test_our_own_messages_are_no_questions(self, slack, serving, toy):
        async with serving(follow_ups='"all"', bots="true"):
            question = await slack.mention("C1", "U1", "When?")
            await answered(slack, "C1", question)
            await slack.settled()
            await asyncio.sleep(0.3)
            await slack.settled()
        assert len(toy.turns) == 1

    async def test_a_follow_up_that_overtakes_its_mention_is_answered_after_it(
        self, slack, serving, toy
    ):
        async with serving():
            thread = slack.world.new_ts()
            later = {
                "type": "message", "channel": "C1", "channel_type": "channel", "user": "U1",
                "ts": slack.world.new_ts(), "thread_ts": thread, "text": "And Sundays?",
            }  # fmt: skip
            for ts, text in ((thread, "<@U0BOT> When?"), (later["ts"], "And Sundays?")):
                slack.world.add(
                    Message(channel="C1", ts=ts, user="U1", text=text, thread_ts=thread)
                )
            slack.event(later)
            await slack.settled()
            slack.event({"type": "app_mention", "channel": "C1", "user": "U1", "ts": thread,
                         "text": "<@U0BOT> When?"})  # fmt: skip
            await answered(slack, "C1", thread, 2)
        assert [turn.question for turn in toy.turns] == ["When?", "And Sundays?"]

    async def test_a_deletion_that_overtakes_its_message_is_respected(self, slack, serving, toy):
        async with serving():
            ts = slack.world.new_ts()
            slack.event({"type": "message", "subtype": "message_deleted", "channel": "C1",
                         "channel_type": "channel", "deleted_ts": ts, "hidden": True})  # fmt: skip
            await slack.settled()
            slack.event({"type": "app_mention", "channel": "C1", "user": "U1", "ts": ts,
                         "text": "<@U0BOT> When?"})  # fmt: skip
            await slack.settled()
            await asyncio.sleep(0.2)
        assert toy.turns == []
        assert slack.answers("C1") == []


class TestEnds:
    async def test_an_app_that_was_uninstalled_ends_with_a_sentence(self, slack, serving, caplog):
        async with serving() as bot:
            await slack.uninstall()
            await eventually(lambda: "uninstalled" in caplog.text)
            assert bot
        assert "The app was uninstalled from the workspace; install it again." in caplog.text

    async def test_a_token_that_was_revoked_ends_with_a_sentence(self, slack, serving, caplog):
        async with serving():
            slack.event({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": []}})
            await slack.settled()
            assert "revoked" not in caplog.text
            slack.event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0BOT"]}})
            await eventually(lambda: "revoked" in caplog.text)
        assert "install the app again and set the new one" in caplog.text

    async def test_a_token_that_slack_refuses_says_which_one_to_copy(self, slack, serving, caplog):
        slack.revoked = True
        async with serving(sockets=0):
            await eventually(lambda: "has failed" in caplog.text)
        assert "Slack refuses bot_token (token_revoked)" in caplog.text
        assert slack.bot_token not in caplog.text

    async def test_an_app_token_that_slack_refuses_says_how_to_make_one(
        self, slack, serving, caplog
    ):
        slack.app_token = "xapp-another"
        async with serving(sockets=0, app_token='{env = "SLACK_BOT_TOKEN"}'):
            await eventually(lambda: "has failed" in caplog.text)
        assert "Slack refuses app_token" in caplog.text
        assert "connections:write" in caplog.text

    async def test_a_token_that_is_revoked_while_it_answers_is_waited_for(
        self, slack, serving, toy, caplog
    ):
        async with serving():
            slack.revoked = True
            question = await slack.mention("C1", "U1", "When?")
            await eventually(lambda: "token_revoked" in caplog.text)
            slack.revoked = False
            (answer,) = await answered(slack, "C1", question)
        assert "nine" in answer.shown
        assert "install the app again and set its new bot_token" in caplog.text


class TestHttp:
    @pytest.fixture
    async def slack(self, over_http):
        return over_http

    @pytest.fixture
    def serving(self, serving, port):
        def serve(**options):
            return serving(mode='"http"', port=port, sockets=0, **options)

        return serve

    async def ready(self, port):
        async def open_():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(open_, "the port")

    async def post(self, port, body, headers):
        url = f"http://127.0.0.1:{port}/slack/events"
        headers = {"Content-Type": "application/json", **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers) as reply,
        ):
            return reply.status

    def event(self, **more):
        return json.dumps(
            {
                "type": "event_callback", "team_id": "T1", "event_id": "Ev1",
                "event": {"type": "app_mention", "channel": "C1", "user": "U1", "ts": "1.5",
                          "text": "<@U0BOT> When?"}, **more,
            }
        )  # fmt: skip

    async def test_events_commands_and_buttons_arrive_signed(self, slack, serving, toy, port):
        async with serving():
            await self.ready(port)
            question = await slack.mention("C1", "U1", "When?")
            await answered(slack, "C1", question)
            await slack.click("answer_feedback", "U1", "C1", value="good")
            command = await slack.slash_command("C1", "U1", "When?")
            await eventually(lambda: [m for m in slack.messages("C1", user="U1") if m.visible_to])
            await slack.settled()
        assert command.acked
        assert all(one.acked for one in slack.deliverer.sent)

    async def test_forged_old_and_unsigned_requests_are_refused(
        self, slack, serving, toy, port, caplog
    ):
        body = self.event()
        good = slack.deliverer.signed(body)
        old = slack.deliverer.signed(body, time.time() - 400)
        future = slack.deliverer.signed(body, time.time() + 400)
        forged = {**good, "X-Slack-Signature": "v0=" + "0" * 64}
        odd = {**good, "X-Slack-Request-Timestamp": "soon"}
        async with serving():
            await self.ready(port)
            for headers in (forged, old, future, odd, {}):
                assert await self.post(port, body, headers) == 401
            assert await self.post(port, body.replace("When", "Who"), good) == 401
            await asyncio.sleep(0.2)
            assert toy.turns == []
            assert "signature was refused" in caplog.text

    async def test_a_replayed_request_is_taken_and_changes_nothing(self, slack, serving, toy, port):
        body = self.event()
        headers = slack.deliverer.signed(body)
        async with serving():
            await self.ready(port)
            for _ in range(2):
                assert await self.post(port, body, headers) == 200
            retried = {**headers, "X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
            assert await self.post(port, body, retried) == 200
            await eventually(lambda: slack.answers("C1"))
            assert await self.post(port, body, headers) == 200
            await asyncio.sleep(0.2)
        assert len(toy.turns) == 1

    async def test_a_retry_alone_is_no_reason_to_leave_it_out(self, slack, serving, toy, port):
        body = self.event()
        headers = {**slack.deliverer.signed(body), "X-Slack-Retry-Num": "1"}
        async with serving():
            await self.ready(port)
            assert await self.post(port, body, headers) == 200
            await eventually(lambda: toy.turns)

    async def test_slack_may_check_the_address(self, slack, serving, port):
        body = json.dumps({"type": "url_verification", "challenge": "abc", "token": "x"})
        async with serving():
            await self.ready(port)
            assert await self.post(port, body, slack.deliverer.signed(body)) == 200

    async def test_a_port_in_use_is_told(self, slack, serving, port, caplog):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            async with serving():
                await eventually(lambda: "has failed" in caplog.text)
        assert f"Port {port} of 127.0.0.1 cannot be used" in caplog.text
