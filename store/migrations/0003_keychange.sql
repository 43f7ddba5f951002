-- How the change of an account's key goes, while the authority has not agreed to it.

alter table accounts add column key_tries {int} not null default 0;   -- so many in a row came to nothing
alter table accounts add column key_next_at {int} not null default 0; -- when the next one is due
alter table accounts add column key_cause {text} not null default ''; -- code of what was wrong with the last one
