-- What a certificate is ordered with beyond its key: whom to ask first, and which of the profiles that an authority offers.

alter table issuers add column profiles {text} not null default '';    -- that its directory offers; empty: not read yet
alter table certificates add column prefers {text} not null default ''; -- issuer to ask first, as long as the policy allows it
alter table certificates add column key_refused_at {int} not null default 0; -- an authority refused the current version's key for another one

-- Keys that somebody reported, in any tenant, and that no certificate may be for any more. Nothing tells whose they were.
create table exposed_keys (
  spki        {text} not null primary key,
  reported_at {int}  not null
){strict};
