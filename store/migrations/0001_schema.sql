-- Times are microseconds since 1970, UTC; 0 is never. Flags are 0 or 1. Structures that are only ever read whole
-- are JSON; an empty text is their zero value. {int}, {text}, {bytes} and {strict} are the words in which the
-- engines differ.

create table tenants (
  id         {text} not null primary key,
  slug       {text} not null unique,
  name       {text} not null,
  created_at {int}  not null,
  hours      {text} not null default '', -- renewal hours
  policy     {text} not null default '',
  policy_at  {int}  not null default 0   -- when the policy took its present form
){strict};

-- One Tink keyset a tenant, wrapped by the key-encryption key. Tenant '' is the platform.
create table keysets (
  tenant_id  {text}  not null primary key,
  wrapped    {bytes} not null,
  created_at {int}   not null
){strict};

-- One row that only the right key-encryption key opens.
create table canary (
  id     {int}   not null primary key check (id = 1),
  sealed {bytes} not null
){strict};

create table groups (
  id         {text} not null primary key,
  tenant_id  {text} not null references tenants (id),
  claim      {text} not null,
  role       {text} not null,
  created_at {int}  not null,
  unique (tenant_id, claim)
){strict};
create index groups_claim on groups (claim);

create table members (
  id         {text} not null primary key,
  issuer     {text} not null,
  subject    {text} not null,
  email      {text} not null,
  name       {text} not null,
  created_at {int}  not null,
  seen_at    {int}  not null,
  unique (issuer, subject)
){strict};

-- The groups a member had at the last sign-in.
create table member_groups (
  member_id {text} not null references members (id),
  claim     {text} not null,
  primary key (member_id, claim)
){strict};
create index member_groups_claim on member_groups (claim);

create table logins (
  state_hash  {bytes} not null primary key,
  cookie_hash {bytes} not null,
  nonce       {text}  not null,
  verifier    {bytes} not null,
  return_to   {text}  not null,
  created_at  {int}   not null
){strict};
create index logins_created on logins (created_at);

create table sessions (
  id           {text}  not null primary key,
  token_hash   {bytes} not null unique,
  member_id    {text}  not null references members (id),
  platform     {text}  not null,
  oidc_session {text}  not null,
  address      {text}  not null,
  id_token     {bytes} not null,
  started_at   {int}   not null,
  seen_at      {int}   not null,
  expires_at   {int}   not null
){strict};
create index sessions_member on sessions (member_id);
create index sessions_expires on sessions (expires_at);

create table issuers (
  id          {text}  not null primary key,
  name        {text}  not null,
  directory   {text}  not null unique,
  profile     {text}  not null,
  caa         {text}  not null,
  limits      {text}  not null,              -- as published, and as the settings have them
  overrides   {text}  not null default '',   -- of limits, by the operator
  free_ari    {int}   not null,
  eab_key_id  {text}  not null default '',   -- external account binding, for accounts still to be opened
  eab_key     {bytes},                       -- sealed
  accounts    {int}   not null default 1,    -- how many of them new orders are spread over
  rank        {int}   not null default 0,    -- the operator's order of preference
  staging_of  {text}  not null default '',   -- issuer whose dry runs go here; no certificate is ever ordered from it
  created_at  {int}   not null,
  retired_at  {int}   not null default 0
){strict};

-- Our accounts at an issuer. A row is there before its key, and a key before its URL.
create table accounts (
  id          {text}  not null primary key,
  issuer_id   {text}  not null references issuers (id),
  shard       {int}   not null,
  url         {text}  not null default '',
  private_key {bytes},                       -- sealed
  key_type    {text}  not null default '',
  next_key    {bytes},                       -- sealed: what the key is being changed to
  next_type   {text}  not null default '',
  served_rank {int}   not null default 0,    -- of the new name that was let out of the waiting room last
  created_at  {int}   not null,
  unique (issuer_id, shard)
){strict};

-- A label is never given twice, so rows stay after release. A base name is held by one tenant at a time.
create table delegations (
  id         {text} not null primary key,
  tenant_id  {text} not null references tenants (id),
  base       {text} not null,
  label      {text} not null unique,
  zone       {text} not null,
  created_at {int}  not null,
  released   {int}  not null default 0
){strict};
create unique index delegations_held on delegations (base) where released = 0;

create table domains (
  id              {text} not null primary key,
  tenant_id       {text} not null references tenants (id),
  delegation_id   {text} not null references delegations (id),
  issuer_id       {text} not null references issuers (id),
  name            {text} not null,
  registered      {text} not null,            -- public suffix + 1, the key of a CA limit
  status          {text} not null,
  finding         {text} not null default '',
  dns_check       {text} not null default '',
  proved_at       {int}  not null default 0,
  reserved_at     {int}  not null default 0,
  since_at        {int}  not null,
  created_at      {int}  not null,
  created_by      {text} not null,
  releasing_at    {int}  not null default 0,
  released_at     {int}  not null default 0,
  look_asked_at   {int}  not null default 0,  -- by a person, and not done yet
  -- copies of the current version, the plan and the open order, so that a list reads one row a line
  sort_at         {int}  not null,            -- not_after, before the first version reserved_at
  has_version     {int}  not null default 0,
  not_before      {int}  not null default 0,
  not_after       {int}  not null default 0,
  renew_at        {int}  not null default 0,
  window_start    {int}  not null default 0,
  window_end      {int}  not null default 0,
  no_later        {int}  not null default 0,
  free            {int}  not null default 0,  -- the planned renewal costs no budget
  paused_until    {int}  not null default 0,  -- by a person
  slot_width      {int}  not null default 0,  -- seconds of the slot that renew_at is counted in; 0: in none
  order_state     {text} not null default '', -- of the open order
  reason          {text} not null default '', -- of the open order, or else of the plan
  failures        {int}  not null default 0,  -- orders that failed in a row, since DNS last changed
  failed_at       {int}  not null default 0,
  failed_on       {text} not null default '', -- fingerprint of what DNS said then
  cause           {text} not null default ''  -- code of the finding
){strict};
create unique index domains_name on domains (tenant_id, name) where released_at = 0;
create index domains_expires on domains (tenant_id, sort_at, id) where released_at = 0;
create index domains_status on domains (tenant_id, status, sort_at, id) where released_at = 0;
create index domains_status_name on domains (tenant_id, status, name) where released_at = 0;
create index domains_renewals on domains (tenant_id, renew_at, id) where released_at = 0 and renew_at > 0;
create index domains_registered on domains (tenant_id, registered) where released_at = 0;
create index domains_delegation on domains (delegation_id);
-- For the operator, over all tenants: how many an issuer has, what ends soon, and what will not renew, by cause.
create index domains_issuer on domains (issuer_id) where released_at = 0;
create index domains_ends on domains (sort_at) where released_at = 0 and has_version = 1;
create index domains_causes on domains (cause, sort_at, id, tenant_id)
  where released_at = 0 and has_version = 1 and status in ('failing', 'expired');

-- Who works on a domain, and when somebody must. Apart from domains because it changes with every step: what changes
-- often should be narrow and have few indexes. tenant_id, lane and not_after are copies that order what is due or waits.
create table agenda (
  domain_id       {text} not null primary key references domains (id),
  tenant_id       {text} not null,
  lane            {int}  not null,
  not_after       {int}  not null,
  next_action_at  {int}  not null,            -- while leased: when the lease ends
  nudged_at       {int}  not null default 0,  -- asked for while somebody worked on it
  turn            {int}  not null default 0,  -- how often work began; keeps queue jobs apart
  working         {int}  not null default 0,  -- 0: claimed at most, 1: somebody works on it
  lease_owner     {text} not null default '',
  lease_until     {int}  not null default 0,
  fair_rank       {int}  not null default 0,  -- of a new name in the waiting room, so that tenants take turns there
  awaiting_budget {text} not null default '', -- account whose ledger had no token left
  admitted_budget {text} not null default '', -- account whose waiting room let it out, until it spends or rests
  awaiting_answer {text} not null default ''  -- issuer that is silent
){strict};
create index agenda_due on agenda (next_action_at, lane, not_after, domain_id) where next_action_at > 0;
create index agenda_waiting on agenda (awaiting_budget, lane, fair_rank, not_after, domain_id) where awaiting_budget <> '';
create index agenda_ranked on agenda (awaiting_budget, tenant_id, fair_rank) where fair_rank > 0;
create index agenda_admitted on agenda (admitted_budget) where admitted_budget <> '';
create index agenda_silent on agenda (awaiting_answer, lane, not_after, domain_id) where awaiting_answer <> '';

create table certificates (
  id              {text} not null primary key,
  tenant_id       {text} not null references tenants (id),
  domain_id       {text} not null unique references domains (id),
  issuer_id       {text} not null references issuers (id), -- of the current version; before the first, of the order to come
  names           {text} not null,
  profile         {text} not null,
  key_type        {text} not null,
  current_version {text} not null default '',
  plan            {text} not null default '',
  ari             {text} not null default '',
  renew_now_at    {int}  not null default 0,
  renewed_by      {text} not null default '',
  strategy        {text} not null default '', -- where the next key comes from
  csr             {text} not null default '', -- the customer's own, PEM
  changed_at      {int}  not null default 0,  -- when what the next version is ordered with changed, and what
  changed         {text} not null default '',
  compromised_at  {int}  not null default 0,  -- the current version's key was reported
  compromised_by  {text} not null default '',
  revoked_at      {int}  not null default 0,  -- we learnt that the current version is revoked
  paused_until    {int}  not null default 0,  -- no renewal in time before that
  paused_by       {text} not null default '',
  paused_why      {text} not null default '',
  event_id        {text} not null default ''  -- of the running event that replaces the current version first
){strict};

create table orders (
  id             {text}  not null primary key,
  tenant_id      {text}  not null references tenants (id),
  domain_id      {text}  not null references domains (id),
  certificate_id {text}  not null references certificates (id),
  issuer_id      {text}  not null references issuers (id),
  account_id     {text}  not null references accounts (id),
  state          {text}  not null,
  revision       {int}   not null,
  names          {text}  not null,
  profile        {text}  not null,
  reason         {text}  not null,
  detour         {text}  not null default '', -- why it is not placed with the preferred issuer
  replaces       {text}  not null,
  private_key    {bytes},                    -- sealed; moves to the version, or is destroyed when the order fails
  csr            {text}  not null default '', -- the customer's own, PEM; then there is no private_key
  placing_at     {int}   not null default 0,
  url            {text}  not null default '',
  finalize_url   {text}  not null default '',
  result_url     {text}  not null default '',
  expires_at     {int}   not null default 0,
  finding        {text}  not null default '',
  attempts       {int}   not null default 0,
  cost           {text}  not null default '',
  reached        {text}  not null default '',
  created_at     {int}   not null,
  ended_at       {int}   not null default 0,
  lead           {int}   not null default 0  -- when issued: how long the version it replaced had left, in microseconds
){strict};
create unique index orders_open on orders (domain_id) where ended_at = 0;
create index orders_placed on orders (account_id, placing_at) where placing_at > 0;
create index orders_domain on orders (domain_id, id);
create index orders_ended on orders (ended_at, state, reason, lead) where ended_at > 0;

create table challenges (
  id           {text} not null primary key,
  tenant_id    {text} not null references tenants (id),
  domain_id    {text} not null references domains (id),
  order_id     {text} not null references orders (id),
  authz        {text} not null,
  url          {text} not null,
  record       {text} not null,
  zone         {text} not null,
  value        {text} not null,
  presented_at {int}  not null default 0,
  seen_at      {int}  not null default 0,
  answered_at  {int}  not null default 0,
  valid_at     {int}  not null default 0,
  cleaned_at   {int}  not null default 0,
  unique (order_id, authz)
){strict};
create index challenges_dirty on challenges (domain_id) where presented_at > 0 and cleaned_at = 0;
create index challenges_domain on challenges (domain_id, id);

-- The last dry run of a domain; the next one takes its place. Its order is a row of orders, of reason 'dry run'.
create table rehearsals (
  domain_id  {text} not null primary key references domains (id),
  tenant_id  {text} not null references tenants (id),
  order_id   {text} not null default '',      -- none before the record was seen
  asked_at   {int}  not null,
  asked_by   {text} not null,
  seen_at    {int}  not null default 0,       -- the record was right
  ended_at   {int}  not null default 0,
  finding    {text} not null default '',      -- what stands in its way; then why it failed, empty: it passed
  tidied_at  {int}  not null default 0        -- what it won at the authority was given back
){strict};

create table versions (
  id             {text}  not null primary key,
  tenant_id      {text}  not null references tenants (id),
  certificate_id {text}  not null references certificates (id),
  order_id       {text}  not null unique references orders (id),
  issuer_id      {text}  not null references issuers (id),
  account_id     {text}  not null references accounts (id),
  number         {int}   not null,
  names          {text}  not null,
  serial         {text}  not null,
  issuer         {text}  not null,           -- common name of who signed
  not_before     {int}   not null,
  not_after      {int}   not null,
  key_type       {text}  not null,
  spki           {text}  not null,
  fingerprint    {text}  not null,
  ari_cert_id    {text}  not null,
  chain          {text}  not null,
  private_key    {bytes},                    -- sealed; null: the customer's own, which we never had
  reason         {text}  not null,
  issued_at      {int}   not null,
  replaced_at    {int}   not null default 0,
  key_created_at {int}   not null,
  revoke_asked_at {int}  not null default 0, -- somebody asked to revoke it; who, and the reason for the authority
  revoke_by      {text}  not null default '',
  revoke_reason  {text}  not null default '',
  revoke_wait    {int}   not null default 0, -- seconds between the next version and revoke_at
  revoke_at      {int}   not null default 0, -- when the authority is told; 0 while the next version is awaited
  revoke_tries   {int}   not null default 0,
  revoke_next_at {int}   not null default 0, -- of the next try after a failed one
  revoke_finding {text}  not null default '',
  revoked_at     {int}   not null default 0, -- the authority did it
  unique (certificate_id, number)
){strict};
create index versions_revoking on versions (certificate_id) where revoke_asked_at > 0 and revoked_at = 0;

-- The audit log. Rows are only ever inserted.
create table entries (
  tenant_id     {text} not null,
  number        {int}  not null,
  id            {text} not null unique,
  at            {int}  not null,
  actor_kind    {text} not null,
  actor_name    {text} not null,
  actor_issuer  {text} not null,
  actor_subject {text} not null,
  actor_role    {text} not null,
  platform      {text} not null,
  address       {text} not null,
  request_id    {text} not null,
  action        {text} not null,
  outcome       {text} not null,
  object        {text} not null,
  subject       {text} not null,
  text          {text} not null,
  changes       {text} not null,
  primary key (tenant_id, number)
){strict};
create index entries_object on entries (tenant_id, object, number);
create table entry_heads (
  tenant_id {text} not null primary key,
  n         {int}  not null
){strict};

-- How many domains a tenant has by the week in which the version ends (0: no version) and status.
create table tallies (
  tenant_id {text} not null,
  week      {int}  not null,
  status    {text} not null,
  n         {int}  not null,
  primary key (tenant_id, week, status)
){strict};

-- How many renewals of an issuer are planned in each slot of time, of all tenants (see tenants.Slot). Slots of one width
-- never overlap.
create table slots (
  issuer_id {text} not null,
  width     {int}  not null,                  -- seconds
  start_at  {int}  not null,
  n         {int}  not null,
  primary key (issuer_id, width, start_at)
){strict};

-- The ledger: one theoretical arrival time a bucket (see tenants.Limit).
create table buckets (
  issuer_id    {text} not null references issuers (id),
  limit_name   {text} not null,
  bucket       {text} not null,
  tat          {int}  not null default 0,
  corrected_at {int}  not null default 0,
  flying       {int}  not null default 0,     -- requests under way (see tenants.Flight) …
  flying_until {int}  not null default 0,     -- … until then at most
  primary key (issuer_id, limit_name, bucket)
){strict};
create index buckets_full on buckets (issuer_id, limit_name, tat);
create index buckets_corrected on buckets (issuer_id, corrected_at) where corrected_at > 0;

-- The operator's order to replace many certificates before a deadline. Its certificates are marked one after the other,
-- in the order of their ids.
create table events (
  id           {text} not null primary key,
  subject      {text} not null,              -- what is replaced, in words
  issuer_id    {text} not null,              -- these four choose; empty: any
  profile      {text} not null,
  serials      {text} not null,
  spki         {text} not null,
  since_at     {int}  not null,              -- what was issued later is not replaced again
  deadline     {int}  not null,
  why          {text} not null,
  certificates {int}  not null,              -- these three as counted at the start
  tenants      {int}  not null,
  charged      {int}  not null,
  created_at   {int}  not null,
  created_by   {text} not null,
  marked_to    {text} not null default '',   -- the last certificate that was looked at
  marked_at    {int}  not null default 0,    -- all were
  stopped_at   {int}  not null default 0,
  stopped_by   {text} not null default '',
  ended_at     {int}  not null default 0,    -- nothing is left to do
  unique (created_by, since_at)
){strict};
create index events_running on events (id) where ended_at = 0;

-- The certificates of an event, also of those that are over.
create table event_certificates (
  event_id       {text} not null references events (id),
  certificate_id {text} not null references certificates (id),
  tenant_id      {text} not null references tenants (id),
  domain_id      {text} not null references domains (id),
  version_id     {text} not null references versions (id), -- that is replaced
  new_key        {int}  not null,            -- the event is about that version's key
  ended_at       {int}  not null default 0,  -- when it was replaced, or left the event otherwise
  replacement    {text} not null default '', -- the version that took its place
  primary key (event_id, certificate_id)
){strict};
create index event_certificates_left on event_certificates (event_id, certificate_id) where ended_at = 0;
create index event_certificates_open on event_certificates (certificate_id) where ended_at = 0;

create table health (
  what     {text} not null primary key,
  ok       {int}  not null,
  since_at {int}  not null,
  next_at  {int}  not null,
  text     {text} not null
){strict};
