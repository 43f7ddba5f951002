package storetest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"; store brings "sqlite"

	"perennial/store"
	"perennial/tenants"
)

// Fill is a database's worth of domains for benchmarks. It writes rows by SQL of its own, a tenant a transaction,
// because the product's way, a transaction a domain, would take an hour. What it writes is what the product would
// have written, counters included; only private keys are noise, so none can be downloaded, and there is no history.
//
// Of five hundred domains, ten have a CAA record in the way of their renewal, one waits for its record, and the others
// are active.
type Fill struct {
	Tenants      int
	Domains      int  // a tenant
	Certificates bool // with certificates, orders and versions; without, only what a list and a claim read
	Due          int  // so many domains over all tenants are due already; all others in a month
}

// FilledName is part of every filled domain's name.
const FilledName = "-shop.customer-"

// FilledGroup is the group whose people are admins of a filled tenant.
func FilledGroup(slug string) string { return slug + "-admins" }

// Into fills a database that store.Open has opened and migrated at dsn. directory is the issuer's.
func (f Fill) Into(ctx context.Context, db *store.DB, dsn, directory string) ([]tenants.Tenant, error) {
	conn, err := openSQL(dsn)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // everything is committed
	if _, err := db.System().SaveIssuer(ctx, tenants.NewIssuer(directory)); err != nil {
		return nil, err
	}
	chain, err := oneChain()
	if err != nil {
		return nil, err
	}
	var all []tenants.Tenant
	for i := range f.Tenants {
		t, err := f.addTenant(ctx, db, i)
		if err != nil {
			return nil, err
		}
		if err := f.fillTenant(ctx, conn, t, i, directory, chain); err != nil {
			return nil, fmt.Errorf("fill tenant %s: %w", t.Slug, err)
		}
		all = append(all, t)
	}
	return all, tidy(ctx, conn, dsn)
}

func openSQL(dsn string) (*sql.DB, error) {
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return sql.Open("pgx", dsn)
	}
	// As the store opens it, but for the safety of every commit: a filling that is cut off is thrown away.
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(60000)", "synchronous(OFF)", "cache_size(-200000)"}}
	conn, err := sql.Open("sqlite", path+"?"+q.Encode())
	if err == nil {
		conn.SetMaxOpenConns(1)
	}
	return conn, err
}

func (f Fill) addTenant(ctx context.Context, db *store.DB, i int) (tenants.Tenant, error) {
	t := tenants.Tenant{Slug: fmt.Sprintf("filled-%d", i), Name: fmt.Sprintf("Filled %d", i)}
	var err error
	t.ID, err = db.System().AddTenant(ctx, store.TenantInput{
		Name: t.Name, Slug: t.Slug, Groups: []store.GroupInput{{Claim: FilledGroup(t.Slug), Role: tenants.Admin}},
	})
	return t, err
}

// fillSQL makes the rows of one tenant, in the order of their references. Every statement has the same parameters,
// see fillTenant. number is the domain's, unlike any other of the database; i counts within the tenant.
//
// A version was issued in the last 59 days, lives for 90 and is renewed from its 60th day on, so nothing is due by
// itself. Ids end in the number, in the 26 digits that an id has.
const (
	rowsSQL = `
with recursive
given (tenant, customer, first, amount, now, issuer, account, chain, spread) as (
	select cast($1 as text), cast($2 as text), cast($3 as bigint), cast($4 as bigint), cast($5 as bigint),
		(select id from issuers where directory = cast($6 as text)),
		(select a.id from accounts a join issuers i on i.id = a.issuer_id where i.directory = cast($6 as text) and a.shard = 0), cast($7 as text), cast($8 as bigint)),
counted (i) as (select cast(1 as bigint) union all select i + 1 from counted where i < (select amount from given)),
numbered as (
	select i, first + i as number, given.*,
		now - (((i * 7919) % 59) * 86400 + i % 86400) * cast(1000000 as bigint) as issued,
		case when i % 500 = 7 then 'waiting' when i % 50 = 13 then 'failing' else 'active' end as status
	from counted, given),
r as (
	select n.*, substr('00000000000000000000000000' || cast(number as text), length(cast(number as text)) + 1, 26) as digits,
		case status when 'waiting' then 0 else 1 end as has,
		cast(i as text) || '` + FilledName + `' || customer || '.example' as name
	from numbered n)
`
	day = `cast(86400000000 as bigint)`

	fillDelegationsSQL = `insert into delegations (id, tenant_id, base, label, zone, created_at)` + rowsSQL + `
select 'del_' || digits, tenant, name, digits, 'dcv.portal.example', issued from r`

	fillDomainsSQL = `insert into domains (id, tenant_id, delegation_id, issuer_id, name, registered, status, finding,
	cause, proved_at, reserved_at, since_at, created_at, created_by, sort_at, has_version, not_before, not_after, renew_at,
	window_start, window_end, no_later, free)` + rowsSQL + `
select 'dom_' || digits, tenant, 'del_' || digits, issuer, name, customer || '.example', status,
	case status when 'failing' then '{"Code":"dns.caa.forbidden","Args":{"act":"renew","name":"' || name || '"}}'
		when 'waiting' then '{"Code":"dns.delegation.missing","Args":{"name":"' || name || '"}}' else '' end,
	case status when 'failing' then 'dns.caa.forbidden' when 'waiting' then 'dns.delegation.missing' else '' end,
	has * issued, now + 7 * ` + day + `, issued, issued, 'bench', case has when 1 then issued + 90 * ` + day + ` else now + 7 * ` + day + ` end,
	has, has * issued, has * (issued + 90 * ` + day + `), has * (issued + (60 + i % 10) * ` + day + `),
	has * (issued + 60 * ` + day + `), has * (issued + 75 * ` + day + `), has * (issued + 75 * ` + day + `), i % 2
from r`

	fillAgendaSQL = `insert into agenda (domain_id, tenant_id, lane, not_after, next_action_at)` + rowsSQL + `
select 'dom_' || digits, tenant, 2 - has, has * (issued + 90 * ` + day + `),
	case when spread > 0 and number % spread = 0 then now - i * 1000 else now + 30 * ` + day + ` end
from r`

	fillCertificatesSQL = `insert into certificates (id, tenant_id, domain_id, issuer_id, names, profile, key_type, current_version)` + rowsSQL + `
select 'crt_' || digits, tenant, 'dom_' || digits, issuer, '["' || name || '"]', '', 'P-256',
	case has when 1 then 'ver_' || digits else '' end from r`

	fillOrdersSQL = `insert into orders (id, tenant_id, domain_id, certificate_id, issuer_id, account_id, state, revision, names, profile, reason,
	replaces, created_at, ended_at)` + rowsSQL + `
select 'ord_' || digits, tenant, 'dom_' || digits, 'crt_' || digits, issuer, account, 'issued', 7, '["' || name || '"]', '', 'first', '',
	issued - 1000000, issued from r where has = 1`

	fillVersionsSQL = `insert into versions (id, tenant_id, certificate_id, order_id, issuer_id, account_id, number, names, serial, issuer, not_before,
	not_after, key_type, spki, fingerprint, ari_cert_id, chain, private_key, reason, issued_at, key_created_at)` + rowsSQL + `
select 'ver_' || digits, tenant, 'crt_' || digits, 'ord_' || digits, issuer, account, 1, '["' || name || '"]', digits, 'Bench CA', issued,
	issued + 90 * ` + day + `, 'P-256', digits, digits, 'aki.' || digits, chain, $9, 'first', issued, issued from r where has = 1`

	// The week begins on Monday, and 1970 began on a Thursday.
	fillTalliesSQL = `insert into tallies (tenant_id, week, status, n)
select tenant_id, case has_version when 0 then 0 else ((not_after / ` + day + ` + 3) / 7 * 7 - 3) * ` + day + ` end, status, count(*)
from domains where tenant_id = $1 and released_at = 0 group by 1, 2, 3`
)

func (f Fill) fillTenant(ctx context.Context, conn *sql.DB, t tenants.Tenant, i int, directory, chain string) error {
	spread := 0
	if f.Due > 0 {
		spread = max(1, f.Tenants*f.Domains/f.Due)
	}
	args := []any{string(t.ID), fmt.Sprintf("customer-%d", i), int64(i * f.Domains), int64(f.Domains), time.Now().UnixMicro(), directory, chain, int64(spread)}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	texts := []string{fillDelegationsSQL, fillDomainsSQL, fillAgendaSQL}
	if f.Certificates {
		texts = append(texts, fillCertificatesSQL, fillOrdersSQL)
	}
	for _, text := range texts {
		if _, err := tx.ExecContext(ctx, text, args...); err != nil {
			return err
		}
	}
	if f.Certificates {
		if _, err := tx.ExecContext(ctx, fillVersionsSQL, append(args, []byte("noise"))...); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fillTalliesSQL, string(t.ID)); err != nil {
		return err
	}
	return tx.Commit()
}

// tidy does what either engine would have done by itself in the time that the product's way takes.
func tidy(ctx context.Context, conn *sql.DB, dsn string) error {
	text := "vacuum analyze"
	if strings.HasPrefix(dsn, "sqlite:") {
		text = "pragma wal_checkpoint(truncate)"
	}
	_, err := conn.ExecContext(ctx, text)
	return err
}

// oneChain is a certificate for nobody, so that pages have something to read.
func oneChain() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Bench CA"},
		NotBefore: now, NotAfter: now.AddDate(0, 0, 90), DNSNames: []string{"filled.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), err
}

// Server is a Postgres server for measurements. It lives as long as the program keeps hold of it.
type Server struct {
	DSN     string // of its only database, which is empty
	cluster *cluster
}

// DurablePostgres starts a server that runs as the one for tests does, but has on disk what it says it has.
func DurablePostgres() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "perennial-pg-") // a socket's path must be short
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	run, err := c.runAs()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(c.dir, "data")
	initdb := slices.Concat(run, []string{filepath.Join(bin, "initdb"), "-D", data, "-U", "perennial", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"})
	if out, err := exec.Command(initdb[0], initdb[1:]...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	err = c.launch(slices.Concat(run, []string{filepath.Join(bin, "postgres"), "-D", data, "-k", c.dir, "-c", "listen_addresses="}))
	if err == nil {
		err = c.await()
	}
	if err == nil {
		err = c.exec("create database bench")
	}
	return &Server{c.dsn("bench"), c}, err
}
