"""`[channels.slack]`: which app, who may ask, and what is answered where."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints, model_validator

from bot import Secret

FollowUps: TypeAlias = Literal["mention", "thread", "all"]
ChannelId = Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]+$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]+$")]
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=150)]
Limit = Annotated[StrictInt, Field(ge=1, le=1_000_000)]


class RoomSettings(BaseModel):
    """`[channels.slack.rooms.ID]`: one Slack channel that is unlike the others."""

    model_config = ConfigDict(extra="forbid")

    assistant: str = Field("", description="Who answers there.")
    follow_ups: FollowUps | None = Field(
        None, description="When a message there needs no mention: mention, thread or all."
    )
    private: bool = Field(False, description="Answer so that only who asked sees it.")


class SlackSettings(BaseModel):
    """`[channels.slack]`."""

    model_config = ConfigDict(extra="forbid")

    assistant: str = Field("default", description="Who answers.")
    bot_token: Secret = Field(description="The bot token of the Slack app (xoxb-…).")
    app_token: Secret | None = Field(
        None, description="The app-level token (xapp-…), for Socket Mode."
    )
    signing_secret: Secret | None = Field(
        None, description="What Slack signs its requests with, for HTTP mode."
    )
    base_url: str = Field(
        "https://slack.com/api/", description="Slack's Web API; another one for GovSlack."
    )
    mode: Literal["socket", "http"] = Field(
        "socket", description="How Slack reaches the bot: a socket of ours, or HTTP requests."
    )
    host: str = Field("127.0.0.1", description="The address to listen at in HTTP mode.")
    port: StrictInt = Field(3000, ge=0, le=65_535, description="The port to listen at.")
    follow_ups: FollowUps = Field(
        "thread",
        description="When a message needs no mention: never (mention), in threads that the bot "
        "takes part in (thread), or always (all).",
    )
    rooms: dict[ChannelId, RoomSettings] = Field(
        default={}, description="Slack channels that are unlike the others, by their ids."
    )
    bots: bool = Field(False, description="Answer other bots.")
    guests: bool = Field(False, description="Answer guests of the workspace.")
    shared: bool = Field(False, description="Answer in channels shared with other companies.")
    foreign: bool = Field(False, description="Answer people of other workspaces.")
    user_groups: dict[GroupId, str] = Field(
        default={}, description="The group of [groups] that each Slack user group stands for."
    )
    per_minute: Limit = Field(10, description="Questions that a person may ask in a minute.")
    per_day: Limit = Field(300, description="Questions that a person may ask in a day.")
    rate: float = Field(
        1.0, gt=0, le=1000,
        description="How many times Slack's documented rate limits this workspace allows.",
    )  # fmt: skip
    retention: StrictInt = Field(
        90, ge=1, le=36_500, description="Days that questions and answers are kept."
    )
    prompts: list[Prompt] = Field(
        default=[], max_length=4, description="Questions that are suggested in the agent view."
    )
    handover: ChannelId | None = Field(
        None, description="The Slack channel where questions for a person are posted."
    )

    @model_validator(mode="after")
    def _complete(self) -> SlackSettings:
        if self.mode == "socket" and self.app_token is None:
            raise ValueError(
                'mode "socket" needs app_token (xapp-…), from the app\'s Basic Information'
            )
        if self.mode == "http" and self.signing_secret is None:
            raise ValueError('mode "http" needs signing_secret, from the app\'s Basic Information')
        return self

    def room(self, room: str) -> RoomSettings:
        """What holds in a Slack channel."""
        own = self.rooms.get(room) or RoomSettings.model_validate({})
        return RoomSettings(
            assistant=own.assistant or self.assistant,
            follow_ups=own.follow_ups or self.follow_ups,
            private=own.private,
        )
