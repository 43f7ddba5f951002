package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// state is what scripts need to know of a running world.
type state struct {
	Portal         string        `json:"portal"`
	Provider       string        `json:"provider"`
	CustomerDNS    string        `json:"customer_dns"`
	DNS            string        `json:"dns"`
	TSIG           tsigKey       `json:"tsig"`
	ACMEDirectory  string        `json:"acme_directory"`
	ACMERoot       string        `json:"acme_root"`
	DelegationZone string        `json:"delegation_zone"`
	CustomerZones  []string      `json:"customer_zones"`
	People         []statePerson `json:"people"`
}

type tsigKey struct {
	Name      string `json:"name"`
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`
}

type statePerson struct {
	Email  string `json:"email"`
	Tenant string `json:"tenant"`
	Role   string `json:"role"`
}

// announce waits until everything answers, then says where to click, on out and in the state file.
func (w *world) announce(ctx context.Context, o options, out io.Writer) error {
	for _, url := range []string{w.portal.URL() + "/readyz", w.provider.Issuer + "/.well-known/openid-configuration", w.pageURL} {
		if err := answers(ctx, url); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "Perennial      %s   sign in as ops@acme.example (choose, no password)\n", w.portal.URL())
	fmt.Fprintf(out, "Customer DNS   %s   add the record here that the portal asks for\n", w.pageURL)
	fmt.Fprintf(out, "Operator       sign in as operator@portal.example to see all tenants\n")
	fmt.Fprintf(out, "Authority      %s   certificates live for minutes and renew themselves\n", w.ca.Directory)
	fmt.Fprintf(out, "Data           %s   stop with Ctrl-C\n", o.data)
	if o.state == "" {
		return nil
	}
	return w.writeState(o.state)
}

func (w *world) writeState(path string) error {
	tsig := w.dns.TSIG()
	text, err := json.MarshalIndent(state{
		Portal: w.portal.URL(), Provider: w.provider.Issuer, CustomerDNS: w.pageURL, DNS: w.dns.Addr,
		TSIG:          tsigKey{tsig.Name, tsig.Algorithm, tsig.Key},
		ACMEDirectory: w.ca.Directory, ACMERoot: w.rootFile,
		DelegationZone: delegationZone, CustomerZones: customerZones, People: statePeople(),
	}, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(text, '\n'))
}

func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode < 400 {
				return nil
			}
			err = fmt.Errorf("%s", resp.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", url, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
