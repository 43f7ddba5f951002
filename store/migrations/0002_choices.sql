-- What a certificate is ordered with beyond its key: whom to ask first, and which of the profiles that an authority offers.

alter table issuers add column profiles {text} not null default '';    -- that its directory offers; empty: not read yet
alter table certificates add column prefers {text} not null default ''; -- issuer to ask first, as long as the policy allows it
