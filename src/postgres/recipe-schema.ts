// Recipes in PostgreSQL: what owners have planted, and how keepers carry it out.
//
// - An owner whose recipes are carried out has been declared dead, which is for good:
//   by itself at its end, by its guard, or by a keeper that names what it has seen
//   stand still (a mark). A mark that has changed since is refused.
// - To plant locks the owner's row FOR SHARE, and to declare dead updates it: either
//   a recipe is there before its owner is dead, or it is refused.
// - A claim has a number: who has lost it settles nothing any more.
// - Arguments are text, as they were signed: jsonb would write them anew.

export const RECIPES = `
alter table atexit.owner
  add column if not exists keeper uuid,                      -- who carries its recipes out
  add column if not exists claim integer not null default 0; -- and the how-manieth

create table if not exists atexit.recipe (
  owner uuid not null references atexit.owner,
  seq integer not null,
  action text not null check (octet_length(action) between 1 and 256),
  args text not null check (octet_length(args) <= 65536),
  signature text check (octet_length(signature) <= 100),
  planter name not null default session_user,
  state text not null default 'pending' check (state in ('pending', 'dead letter', 'settled')),
  tries integer not null default 0,
  error text,
  planted_at timestamptz not null default clock_timestamp(),
  primary key (owner, seq)
);

-- Asked twice, it plants once.
create or replace function atexit.plant(p_id uuid, p_seq integer, p_action text, p_args text, p_signature text)
returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from atexit.owner where id = p_id and dead_at is null for share;
  if not found then
    return 'dead';
  end if;
  if p_seq > 10000 and 10000 <= (select count(*) from (select from atexit.recipe where owner = p_id limit 10000) r) then
    return 'full';
  end if;
  insert into atexit.recipe (owner, seq, action, args, signature)
    values (p_id, p_seq, p_action, p_args, p_signature) on conflict (owner, seq) do nothing;
  return 'planted';
end $$;

-- A plant that was not answered may still be under way: then its place is kept, until the owner's end.
create or replace function atexit.settle(p_id uuid, p_seq integer, p_is_confirmed boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_is_confirmed then
    delete from atexit.recipe where owner = p_id and seq = p_seq;
  else
    insert into atexit.recipe (owner, seq, action, args, state)
      select id, p_seq, '(settled)', '[]', 'settled' from atexit.owner where id = p_id for share
      on conflict (owner, seq) do update set state = 'settled';
  end if;
end $$;

-- What has to stand still before the owner's recipes may be carried out: its own heartbeat, that of its keeper, or neither.
create or replace function atexit.mark(o atexit.owner, k atexit.owner) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select md5(concat_ws('/', o.id, o.beat, o.dead_at is not null, o.claim, k.id, k.beat, k.dead_at is not null))
$$;

-- The server's clock only says whom to look at: those who are silent by it, or whose time is impossible by it; or all.
create or replace function atexit.suspects(
  p_keeper uuid, p_all boolean, out owner uuid, out mark text, out ttl double precision, out who jsonb
) returns setof record language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select o.id, atexit.mark(o, k), 1000 * extract(epoch from greatest(
      case when o.dead_at is null then o.ttl else '0' end,
      case when k.id is not null and k.dead_at is null then k.ttl else '0' end
    )), o.who
  from atexit.owner o left join atexit.owner k on k.id = o.keeper
  where o.id <> p_keeper and o.keeper is distinct from p_keeper
    and (p_all or o.dead_at is not null or o.expires_at <= clock_timestamp() or o.expires_at > clock_timestamp() + o.ttl)
    and exists (select from atexit.recipe r where r.owner = o.id and r.state = 'pending')
  order by o.dead_at is null, o.id limit 10000
$$;

-- The claim's number; null where the mark has changed, or another keeper was first. Without a mark, for a guard: only of
-- an owner that is known to be dead, and in nobody's hands.
create or replace function atexit.claim(p_keeper uuid, p_owner uuid, p_mark text) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  o atexit.owner;
  k atexit.owner;
  n integer;
begin
  if not exists (select from atexit.owner where id = p_keeper and dead_at is null) then
    return null;
  end if;
  select * into o from atexit.owner where id = p_owner for no key update skip locked;
  if not found then
    return null;
  end if;
  select * into k from atexit.owner where id = o.keeper for no key update;
  if p_mark is null and (o.dead_at is null or (k.id is not null and k.dead_at is null)) then
    return null;
  end if;
  if p_mark is not null and atexit.mark(o, k) <> p_mark then
    return null;
  end if;
  update atexit.owner set dead_at = clock_timestamp() where id in (o.id, o.keeper) and dead_at is null;
  delete from atexit.owner where id = o.keeper and not exists (select from atexit.recipe r where r.owner = o.keeper);
  update atexit.owner set keeper = p_keeper, claim = claim + 1 where id = p_owner returning claim into n;
  return n;
end $$;

-- Settles a recipe, and gives the next one: the last planted of those that are not to be passed over.
create or replace function atexit.step(
  p_keeper uuid, p_owner uuid, p_claim integer, p_seq integer, p_outcome text, p_error text, p_pass_over integer[],
  out answer text, out seq integer, out action text, out args text, out signature text, out planter name,
  out tries integer
) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  o atexit.owner;
  r atexit.recipe;
begin
  select * into o from atexit.owner where id = p_owner for no key update;
  if not found or o.keeper is distinct from p_keeper or o.claim <> p_claim
    or not exists (select from atexit.owner where id = p_keeper and dead_at is null) then
    answer := 'lost';
    return;
  end if;
  if p_outcome = 'done' then
    delete from atexit.recipe where owner = p_owner and seq = p_seq;
  elsif p_outcome is not null then
    update atexit.recipe set tries = tries + 1, error = left(p_error, 2000),
      state = case p_outcome when 'failed' then 'pending' else 'dead letter' end
      where owner = p_owner and seq = p_seq and state = 'pending';
  end if;
  select * into r from atexit.recipe where owner = p_owner and state = 'pending' and seq <> all (p_pass_over)
    order by seq desc limit 1;
  if found then
    answer := 'next';
    seq := r.seq;
    action := r.action;
    args := r.args;
    signature := r.signature;
    planter := r.planter;
    tries := r.tries;
  elsif exists (select from atexit.recipe where owner = p_owner and state = 'pending') then
    answer := 'wait';
  else
    answer := 'over';
    delete from atexit.recipe where owner = p_owner and state = 'settled';
    if exists (select from atexit.recipe where owner = p_owner) then
      update atexit.owner set keeper = null where id = p_owner;
    else
      delete from atexit.owner where id = p_owner;
    end if;
  end if;
end $$;

create or replace function atexit.recipes(
  out owner uuid, out seq integer, out action text, out args text, out planter name, out state text,
  out tries integer, out error text, out planted_at timestamptz, out who jsonb, out silent_for double precision,
  out is_dead boolean, out keeper jsonb
) returns setof record language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select r.owner, r.seq, r.action, r.args, r.planter, r.state, r.tries, r.error, r.planted_at, o.who,
    1000 * extract(epoch from clock_timestamp() - (o.expires_at - o.ttl)),
    o.dead_at is not null or o.expires_at + o.ttl < clock_timestamp(), k.who
  from atexit.recipe r join atexit.owner o on o.id = r.owner
    left join atexit.owner k on k.id = o.keeper and k.dead_at is null
  where r.state <> 'settled' order by o.id, r.seq desc
$$;

-- Has a dead letter tried again, or forgets it. False where there is no such dead letter.
create or replace function atexit.settle_dead_letter(p_owner uuid, p_seq integer, p_is_retry boolean) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  is_there boolean;
begin
  perform from atexit.owner where id = p_owner for no key update;
  if p_is_retry then
    update atexit.recipe set state = 'pending', tries = 0 where owner = p_owner and seq = p_seq and state = 'dead letter';
    return found;
  end if;
  delete from atexit.recipe where owner = p_owner and seq = p_seq and state = 'dead letter';
  is_there := found;
  delete from atexit.owner o where id = p_owner and dead_at is not null
    and not exists (select from atexit.recipe r where r.owner = o.id);
  return is_there;
end $$;
`;
