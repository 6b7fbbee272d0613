// What is kept in PostgreSQL, and the functions by which it is changed: each is one
// round trip and one transaction.
//
// - Times are compared with clock_timestamp(): now() is when a transaction began.
// - Locks are taken in one order: a lease, then an owner. Heartbeats lock one row,
//   and nobody who finds a lease held locks any.
// - Unknown is never over: coalesce(…, false).
// - A token comes from its row. A sequence would be drawn before the row is locked,
//   and a slow transaction could end with a smaller one than was granted before it.
// - No index on expires_at: heartbeats stay within their page (HOT).

import { RECIPES } from "./recipe-schema.ts";
import { SCHEMA_VERSION } from "./schema-version.ts";

/** The schema; it may be applied again. */
export const SCHEMA = `
select pg_advisory_xact_lock(hashtext('atexit.migrate'));
create schema if not exists atexit;

create table if not exists atexit.owner (
  id uuid primary key,
  ttl interval not null,
  expires_at timestamptz not null,
  beat bigint not null default 0,      -- changes with each heartbeat
  epoch integer not null default 0,    -- what was sent before it changed is refused
  dead_at timestamptz,                 -- set once, for good
  who jsonb not null,
  login name not null default session_user
) with (fillfactor = 60);

-- A row is not deleted while somebody may compare its token.
create table if not exists atexit.lease (
  name text primary key check (octet_length(name) between 1 and 512),
  owner uuid references atexit.owner on delete set null,
  token bigint not null default 0,
  since timestamptz,
  data jsonb
) with (fillfactor = 70);
create index if not exists lease_owner on atexit.lease (owner) where owner is not null;

-- The heartbeat: for how long the owner may be silent from now on, in milliseconds; null where it is dead.
create or replace function atexit.beat(p_id uuid) returns double precision
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  granted double precision;
begin
  update atexit.owner set beat = beat + 1, expires_at = clock_timestamp() + ttl
    where id = p_id and dead_at is null
    returning extract(epoch from ttl) * 1000 into granted;
  return granted;
end $$;

create or replace function atexit.begin(p_id uuid, p_ttl double precision, p_who jsonb) returns double precision
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if octet_length(p_who::text) > 4096 then
    raise exception 'what an owner says of itself may be 4096 bytes' using errcode = '22001';
  elsif not p_ttl between 1 and 86400000 then -- infinity and NaN, too
    raise exception 'ttl may be up to a day' using errcode = '22003';
  end if;
  if random() < 0.01 then
    delete from atexit.owner o where o.expires_at < clock_timestamp() - interval '7 days'
      and not exists (select from atexit.lease l where l.owner = o.id)
      and not exists (select from atexit.recipe r where r.owner = o.id);
  end if;
  insert into atexit.owner (id, ttl, expires_at, who)
    values (p_id, make_interval(secs => p_ttl / 1000), clock_timestamp() + make_interval(secs => p_ttl / 1000), p_who)
    on conflict (id) do nothing;
  if found then
    return p_ttl;
  end if;
  return atexit.beat(p_id); -- an answer was lost
end $$;

create or replace function atexit.acquire(
  p_id uuid, p_epoch integer, p_name text, p_data jsonb, p_stood_still text, p_observed_only boolean,
  out answer text, out token bigint, out who jsonb, out since double precision, out data jsonb,
  out free_in double precision, out mark text, out ttl double precision
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  l atexit.lease;
  o atexit.owner;
  me atexit.owner;
  is_locked boolean := false;
begin
  -- First without a lock: most who ask find it held. Then again with locks, if it seems to be over.
  loop
    select * into l from atexit.lease where name = p_name;
    if is_locked then
      select * into me from atexit.owner where id = p_id;
      if not found or me.dead_at is not null then
        answer := 'dead';
        return;
      end if;
      if me.epoch <> p_epoch or l.owner is not distinct from p_id then
        answer := 'refused';
        return;
      end if;
    end if;
    if l.owner is not null and l.owner <> p_id then
      if is_locked then
        -- Not as strong as FOR UPDATE: that would wait for other leases of the same owner, and they for this one.
        select * into o from atexit.owner where id = l.owner for no key update;
      else
        select * into o from atexit.owner where id = l.owner;
      end if;
      mark := md5(o.id::text || '/' || o.beat);
      if not coalesce(
        o.dead_at is not null
        or mark = p_stood_still
        or (not p_observed_only and o.expires_at <= clock_timestamp()),
        false
      ) then
        answer := 'held';
        who := o.who;
        since := extract(epoch from l.since) * 1000;
        data := l.data;
        ttl := extract(epoch from o.ttl) * 1000;
        free_in := extract(epoch from o.expires_at - clock_timestamp()) * 1000;
        if free_in > ttl or p_observed_only then
          free_in := null; -- the clock went back, or does not count
        end if;
        return;
      end if;
    end if;
    exit when is_locked;
    insert into atexit.lease (name) values (p_name) on conflict (name) do nothing;
    perform from atexit.lease where name = p_name for update;
    is_locked := true;
  end loop;
  if l.owner is not null then
    update atexit.owner set dead_at = clock_timestamp() where id = l.owner and dead_at is null;
  end if;
  update atexit.lease set owner = p_id, token = lease.token + 1, since = clock_timestamp(), data = p_data
    where name = p_name returning lease.token into token;
  answer := 'taken';
end $$;

-- Ends the epoch: no acquire that was sent in it counts any more. One that comes late names an epoch that is over.
create or replace function atexit.cancel(p_id uuid, p_epoch integer, p_name text, out epoch integer, out done boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into atexit.lease (name) values (p_name) on conflict (name) do nothing;
  perform from atexit.lease where name = p_name for update;
  select o.epoch into epoch from atexit.owner o where o.id = p_id for no key update;
  if not found then
    epoch := p_epoch;
    done := true;
    return;
  end if;
  done := epoch = p_epoch;
  if done then
    epoch := epoch + 1;
    update atexit.owner o set epoch = p_epoch + 1 where o.id = p_id;
    update atexit.lease set owner = null where name = p_name and owner = p_id;
  end if;
end $$;

create or replace function atexit.release(p_id uuid, p_name text, p_token bigint, p_notify boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update atexit.lease set owner = null where name = p_name and owner = p_id and token = p_token;
  if found and p_notify then
    perform pg_notify('atexit', p_name);
  end if;
end $$;

create or replace function atexit.finish(p_id uuid, p_notify boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  freed text;
  n integer := 0;
begin
  for freed in update atexit.lease set owner = null where owner = p_id returning name loop
    n := n + 1;
    if p_notify and n <= 100 then -- the others are found by looking
      perform pg_notify('atexit', freed);
    end if;
  end loop;
  perform from atexit.owner where id = p_id for update;
  delete from atexit.recipe where owner = p_id and state = 'settled';
  if exists (select from atexit.recipe where owner = p_id) then
    update atexit.owner set dead_at = clock_timestamp() where id = p_id and dead_at is null; -- keepers need not wait
  else
    delete from atexit.owner where id = p_id;
  end if;
end $$;

-- The fence, for the program's own transaction: nobody takes the lease over before that has ended.
create or replace function atexit.fence(p_name text, p_token bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from atexit.lease where name = p_name and token = p_token and owner is not null for share;
  if not found then
    raise exception 'the lease % is not held with token % any more', p_name, p_token
      using errcode = 'ATX01', hint = 'Take the lease anew, and begin this transaction again.';
  end if;
end $$;

create or replace function atexit.leases(
  out name text, out token bigint, out since timestamptz, out data jsonb, out who jsonb, out login name,
  out silent_for double precision, out ttl double precision, out is_over boolean
) returns setof record language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select l.name, l.token, l.since, l.data, o.who, o.login,
    extract(epoch from clock_timestamp() - (o.expires_at - o.ttl)) * 1000, extract(epoch from o.ttl) * 1000,
    o.dead_at is not null or o.expires_at <= clock_timestamp()
  from atexit.lease l join atexit.owner o on o.id = l.owner order by l.since
$$;

${RECIPES}
create or replace function atexit.version() returns integer language sql immutable as 'select ${SCHEMA_VERSION}';

revoke all on all functions in schema atexit from public;
`;

/** What whoever takes leases and plants recipes may call; no tables, and nothing that shows an owner's number. */
// To claim and step takes an owner's number: with its own, a guard carries its owner's recipes out.
const MEMBER = [
  "begin",
  "beat",
  "acquire",
  "cancel",
  "release",
  "finish",
  "fence",
  "leases",
  "version",
  "plant",
  "settle",
  "claim",
  "step",
];
/** What keepers may call. */
const KEEPER = [
  "begin",
  "beat",
  "finish",
  "leases",
  "version",
  "suspects",
  "claim",
  "step",
  "recipes",
  "settle_dead_letter",
];

/** Lets a role take leases and plant recipes, and nothing else. */
export function grantTo(role: string): string {
  return grant(role, MEMBER);
}

/** Lets a role carry recipes out. */
export function grantToKeeper(role: string): string {
  return grant(role, KEEPER);
}

function grant(role: string, functions: readonly string[]): string {
  const quoted = `"${role.replaceAll('"', '""')}"`;
  const grants = functions.map((name) => `grant execute on function atexit.${name} to ${quoted};`);
  return [`grant usage on schema atexit to ${quoted};`, ...grants].join("\n");
}
