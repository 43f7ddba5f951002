package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

// bareLoop is the limit that issuance is held against: nothing but the requests that the protocol needs. It has no
// database, no checks, no clean-up worth the name, and writes its TXT records straight into the DNS server's memory.
type bareLoop struct {
	*world
	cores []*api.Core // one a worker, all with the same account
}

// duel is a world and the bare loop in it, for what is measured by turns.
func (b *bench) duel(ctx context.Context, name string) (*world, *bareLoop, error) {
	w, err := b.world(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	loop, err := newBareLoop(w, workers)
	if err != nil {
		return nil, nil, errors.Join(err, w.close())
	}
	return w, loop, nil
}

func newBareLoop(w *world, workers int) (*bareLoop, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.ca.RootPEM)
	shared := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		MaxIdleConns: workers, MaxIdleConnsPerHost: workers,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// lego writes to the client it is given, so each core gets its own.
	core := func(kid string) (*api.Core, error) {
		return api.New(&http.Client{Transport: shared}, "bench", w.ca.Directory, kid, key)
	}
	first, err := core("")
	if err != nil {
		return nil, err
	}
	account, err := first.Accounts.New(acme.Account{TermsOfServiceAgreed: true})
	if err != nil {
		return nil, fmt.Errorf("register account: %w", err)
	}
	b := &bareLoop{world: w}
	for range workers {
		c, err := core(account.Location)
		if err != nil {
			return nil, err
		}
		b.cores = append(b.cores, c)
	}
	return b, nil
}

// run obtains certificates for all names and returns how long that took.
func (b *bareLoop) run(names []string) (time.Duration, error) {
	todo := make(chan string, len(names))
	for _, name := range names {
		todo <- name
	}
	close(todo)
	var workers sync.WaitGroup
	faults := make([]error, len(b.cores))
	start := time.Now()
	for i, core := range b.cores {
		workers.Go(func() {
			for name := range todo {
				if err := b.obtain(core, name); err != nil {
					faults[i] = fmt.Errorf("obtain %s: %w", name, err)
					return
				}
			}
		})
	}
	workers.Wait()
	return time.Since(start), errors.Join(faults...)
}

func (b *bareLoop) obtain(core *api.Core, name string) error {
	order, err := core.Orders.NewWithOptions([]string{name}, &api.OrderOptions{Profile: "classic"})
	if err != nil {
		return err
	}
	if err := b.prove(core, name, order.Authorizations[0]); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := request(name, key)
	if err != nil {
		return err
	}
	done, err := core.Orders.UpdateForCSR(order.Finalize, csr)
	if err != nil {
		return err
	}
	err = repeat(func() (bool, error) {
		if done.Certificate != "" {
			return true, nil
		}
		done, err = core.Orders.Get(order.Location)
		return done.Certificate != "", err
	})
	if err != nil {
		return err
	}
	_, _, err = core.Certificates.Get(done.Certificate, true)
	return err
}

func (b *bareLoop) prove(core *api.Core, name, url string) error {
	authz, err := core.Authorizations.Get(url)
	if err != nil {
		return err
	}
	challenge, err := dns01(authz)
	if err != nil {
		return err
	}
	auth, err := core.GetKeyAuthorization(challenge.Token)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(auth))
	record := "_acme-challenge." + name
	if err := b.dns.Set(record, "TXT", base64.RawURLEncoding.EncodeToString(sum[:])); err != nil {
		return err
	}
	defer b.dns.Delete(record, "TXT")
	if _, err := core.Challenges.New(challenge.URL); err != nil {
		return err
	}
	return repeat(func() (bool, error) {
		authz, err := core.Authorizations.Get(url)
		if err == nil && authz.Status == acme.StatusInvalid {
			err = errors.New("the authorization is invalid")
		}
		return authz.Status == acme.StatusValid, err
	})
}

func dns01(a acme.Authorization) (acme.Challenge, error) {
	for _, c := range a.Challenges {
		if c.Type == "dns-01" {
			return c, nil
		}
	}
	return acme.Challenge{}, errors.New("the authority offers no dns-01 challenge")
}

func request(name string, key crypto.Signer) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
}

// repeat asks until the answer is yes. The pauses fit an authority that answers at once: much shorter and its locks
// get in the way, longer and the workers idle.
func repeat(ready func() (bool, error)) error {
	for wait := 4 * time.Millisecond; wait < 10*time.Second; wait *= 2 {
		time.Sleep(wait)
		if ok, err := ready(); ok || err != nil {
			return err
		}
	}
	return errors.New("the authority does not get done")
}
