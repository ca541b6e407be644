-- What remote models have cost, and who may read an answer that has no citations.
-- depends: domainbot.0010.routes

alter table turn add column readers text[] not null default '{everyone}';

-- One row for each answer that was paid for; it outlives its turn, so that limits are kept.
create table spending (
    id             bigint generated always as identity primary key,
    turn_id        text not null,
    assistant      text not null,
    generator      text not null,
    person         text not null,             -- '' when nobody knows, or it was forgotten
    at             timestamptz not null default clock_timestamp(),
    input_tokens   bigint not null default 0,
    output_tokens  bigint not null default 0,
    cost           double precision not null, -- the most it can be, until it is settled
    settled        boolean not null default false
);

create index spending_at on spending (at);
create index spending_person on spending (person, at);
create index spending_turn on spending (turn_id);

-- Who is forgotten with a conversation is forgotten here, too.
create function spending_forget() returns trigger language plpgsql as $$
begin
    update spending set person = '' where turn_id = old.id;
    return old;
end $$;

create trigger spending_forget after delete on turn
    for each row execute function spending_forget();
